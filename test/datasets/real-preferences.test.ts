/** Real preferences, imported, as training data: what comes out is counted from the file, not by the product. */
import { readFileSync } from "node:fs";
import { connect } from "retrace";
import { describe, expect, test } from "vitest";
import { buildDataset, type Dataset } from "../../actors/datasets/dataset.ts";
import { datasetSpec } from "../../schemas/dataset-spec.ts";
import { runCli } from "../cli/run-cli.ts";
import { absentRows, realRows } from "../imports/shared-data.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { logByQuery } from "./read-back.ts";

interface Item {
  readonly instruction: string;
  readonly input: string;
  readonly response1: unknown;
  readonly response2: unknown;
  readonly [annotator: `annotator${number}`]: number;
}

describe.skipIf(absentRows !== undefined)("real preferences", () => {
  test("become the pairs, the verdicts and the conversations that the file has", async () => {
    const { url } = await startRuntime({ dataDir: tempDir() });
    const imported = await runCli(["import", "preferences", realRows.items], { env: { RETRACE_NATS: url } });
    expect(imported.code).toBe(0);
    const client = await connect({ servers: url });
    const log = await logByQuery(client);
    await client.close();
    const build = (format: string): Dataset =>
      buildDataset(log, datasetSpec.parse({ format, types: ["PreferenceLogged"] }), log.length);

    const items = JSON.parse(readFileSync(realRows.items, "utf8")) as Item[];
    const votes = items.flatMap((item) => [1, 2, 3].map((number) => ({ item, vote: item[`annotator${number}`] })));
    const ties = votes.filter(({ vote }) => vote === 0).length;
    const pairs = votes
      .filter(({ vote }) => vote !== 0)
      .map(({ item: { instruction, input, response1, response2 }, vote }) => {
        const prompt = input === "" ? instruction : `${instruction}\n\n${input}`;
        const [chosen, rejected] = vote === 1 ? [response1, response2] : [response2, response1];
        return { prompt, chosen: String(chosen), rejected: String(rejected) };
      });
    expect([pairs.length, ties]).toEqual([2_671, 326]);

    const trl = build("trl");
    expect(rowsOf(trl).map(sorted).sort()).toEqual(pairs.map(sorted).sort());
    expect(trl).toMatchObject({ rowCount: pairs.length, leftOut: { tie: ties }, shapes: { messages: 0 } });

    const kto = rowsOf(build("kto"));
    expect(kto).toHaveLength(2 * pairs.length);
    expect(kto.filter(({ label }) => label === true)).toHaveLength(pairs.length);

    const [first] = rowsOf(build("openai"));
    expect(first).toEqual({
      input: { messages: [{ role: "user", content: pairs[0]?.prompt }] },
      preferred_output: [{ role: "assistant", content: pairs[0]?.chosen }],
      non_preferred_output: [{ role: "assistant", content: pairs[0]?.rejected }],
    });
    expect(build("openai").rowCount).toBe(pairs.length);
  });
});

type Row = Readonly<Record<string, unknown>>;

function rowsOf({ data }: Dataset): Row[] {
  return data
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

function sorted({ prompt, chosen, rejected }: Row): string {
  return JSON.stringify([prompt, chosen, rejected]);
}
