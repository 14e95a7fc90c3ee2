/**
 * Of which log an export is: one event of it by position and id, in `log.json`. Ids are unique, so a log that has this event
 * there has all those before it, too; a restored or another one has not. It says nothing about how far the export has come.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "../../wire/client.ts";
import { toDisk } from "./part-file.ts";

interface Witness {
  readonly position: number;
  readonly id: string;
}

/** Whether the log is the one that the folder is of; a new folder becomes one of this log. */
export async function isOfThisLog(client: Client, folder: string): Promise<boolean> {
  const witness = readWitness(folder);
  if (witness === undefined) {
    await writeWitness(client, folder, 1);
    return true;
  }
  return (await eventAt(client, witness.position))?.id === witness.id;
}

/** Makes the event at a position the witness. Of a log that has none there, nothing is written. */
export async function writeWitness(client: Client, folder: string, position: number): Promise<void> {
  const witness = await eventAt(client, position);
  if (witness === undefined) return;
  const path = join(folder, "log.json");
  writeFileSync(`${path}.partial`, `${JSON.stringify(witness)}\n`);
  toDisk(`${path}.partial`, "file");
  renameSync(`${path}.partial`, path);
  toDisk(folder, "folder");
}

function readWitness(folder: string): Witness | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "log.json"), "utf8")) as Witness;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function eventAt(client: Client, position: number): Promise<Witness | undefined> {
  const { events } = await client.events({ afterPosition: position - 1, limit: 1 });
  const [event] = events;
  return event === undefined ? undefined : { position, id: event.id };
}
