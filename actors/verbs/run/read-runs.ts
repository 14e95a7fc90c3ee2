/** Several training runs, one after the other. */
import { type Client, Fault } from "retrace";
import { WrongUsage } from "../print/wrong-usage.ts";
import { type RunRecord, readRun } from "./read-run.ts";

/** In the order of their ids. @throws WrongUsage naming the first that does not exist. */
export async function readRuns(client: Client, ids: readonly string[]): Promise<RunRecord[]> {
  const twice = ids.find((id, i) => ids.indexOf(id) < i);
  if (twice !== undefined) throw new WrongUsage(`${twice} is named twice`);
  const runs: RunRecord[] = [];
  for (const id of ids) runs.push(await readOrRefuse(client, id));
  return runs;
}

async function readOrRefuse(client: Client, id: string): Promise<RunRecord> {
  try {
    return await readRun(client, id);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "NOT_FOUND") throw error;
    throw new WrongUsage(`there is no training run ${id}; list them with: retrace projection rows training-summaries`);
  }
}
