/** The real files of rows against a built runtime: what is in the history is counted independently of the importer. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { cli } from "./built-cli.ts";
import { absentFile, ImportSetting, realFile, tableOf } from "./import-setting.ts";

const items = "preferences/pandalm_testset-v1.json";
const verdicts = "preferences/pandalm_pandalm-7b-testset-v1.json";
const corrections = "corrections/crowdwsa_J1.labels.tsv";
const truth = "corrections/crowdwsa_J1.gold.tsv";
const ratings = "ratings/wmt23_ende_3raters_compact.tsv";
const predictions = "predictions/llmbar_judge_verdicts.tsv";
const absent = absentFile([items, verdicts, corrections, truth, ratings, predictions]);

function countBy<Item>(items: readonly Item[], key: (item: Item) => unknown): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[String(key(item))] = (counts[String(key(item))] ?? 0) + 1;
  return counts;
}

function pattern(file: string, counts: string): RegExp {
  return new RegExp(`^${basename(file)}: (\\d+) rows${counts}, 0 bad rows$`);
}

type Data = Record<string, unknown>;

describe.skipIf(absent !== undefined)("real rows", () => {
  const setting = new ImportSetting("rows");

  /** Imports files, checks how many events came of each, and imports them again. */
  async function importTwice(kind: string, files: readonly string[], expected: readonly number[]): Promise<void> {
    const first = await cli("import", kind, "--nats", setting.nats, ...files.map(realFile));
    expect(first.stderr).toBe("");
    expect(first.code).toBe(0);
    const lines = first.stdout.trimEnd().split("\n");
    expect(lines).toEqual(
      files.map((file, i) => expect.stringMatching(pattern(file, `: ${expected[i]} new events, 0 rows already there`))),
    );
    const position = await setting.head();
    const second = await cli("import", kind, "--nats", setting.nats, ...files.map(realFile));
    expect(second.code).toBe(0);
    expect(second.stdout.trimEnd().split("\n")).toEqual(
      files.map((file) => expect.stringMatching(pattern(file, ": 0 new events, \\1 rows already there"))),
    );
    expect(await setting.head()).toBe(position);
  }

  test("preferences: a vote for each annotator of PandaLM, and for the model", async () => {
    await importTwice("preferences", [items, verdicts], [2997, 999]);

    const all: Data[] = JSON.parse(readFileSync(realFile(items), "utf8"));
    const votes = all.flatMap((item) =>
      ["annotator1", "annotator2", "annotator3"].map((annotator) => ({ item, annotator, vote: item[annotator] })),
    );
    const events = await setting.eventsOf(realFile(items));
    const beginnings = readFileSync(realFile(items), "utf8")
      .split("\n")
      .flatMap((line, i) => (line === "    {" ? [i + 1] : []));
    expect(events).toHaveLength(2997);
    for (const [i, { stream, data, type }] of events.entries()) {
      const { item, annotator, vote } = votes[i] as (typeof votes)[number];
      const [first, second] = [String(item.response1), String(item.response2)];
      expect([type, stream]).toEqual(["PreferenceLogged", `feedback-pandalm_testset-v1~${item.idx}`]);
      expect(data).toMatchObject({
        annotator,
        chosen: vote === 2 ? second : first,
        rejected: vote === 2 ? first : second,
        sourceLine: beginnings[item.idx as number],
      });
      expect((data as Data).tie).toBe(vote === 0 ? true : undefined);
      expect("source" in (data as Data)).toBe(annotator === "annotator1");
    }
    expect(events.filter(({ data }) => (data as Data).tie)).toHaveLength(votes.filter(({ vote }) => vote === 0).length);

    const model: Data[] = JSON.parse(readFileSync(realFile(verdicts), "utf8"));
    const said = await setting.eventsOf(realFile(verdicts));
    expect(said.map(({ stream }) => stream)).toEqual(model.map(({ idx }) => `feedback-pandalm_testset-v1~${idx}`));
    expect(countBy(said, ({ data }) => (data as Data).annotator)).toEqual({ pandalm: 999 });
    expect(said.filter(({ data }) => (data as Data).tie)).toHaveLength(
      model.filter(({ pandalm_result }) => pandalm_result === 0).length,
    );
  });

  test("corrections: one a row, and the true sentences of the file beside it", async () => {
    await importTwice("corrections", [corrections, truth], [2490, 250]);

    const events = await setting.eventsOf(realFile(corrections));
    const rows = tableOf(realFile(corrections));
    expect(events.map(({ data }) => (data as Data).corrected)).toEqual(rows.map(({ workeranswer }) => workeranswer));
    expect(countBy(events, ({ data }) => (data as Data).annotator)).toEqual(countBy(rows, ({ worker }) => worker));
    expect(new Set(events.map(({ stream }) => stream)).size).toBe(new Set(rows.map(({ sentence }) => sentence)).size);
    const gold = await setting.eventsOf(realFile(truth));
    expect(gold.map(({ data }) => data)).toMatchObject(
      tableOf(realFile(truth)).map(({ trueanswer }, i) => ({ corrected: trueanswer, gold: true, sourceLine: i + 2 })),
    );
    const streams = new Set(events.map(({ stream }) => stream));
    expect(gold.every(({ stream }) => streams.has(stream))).toBe(true);
  });

  test("ratings: one a row, at its time, with its effort, and honeypots of no model", async () => {
    await importTwice("ratings", [ratings], [10_970]);

    const events = await setting.eventsOf(realFile(ratings));
    const rows = tableOf(realFile(ratings));
    expect(events).toHaveLength(rows.length);
    let penalty = 0;
    for (const [i, { occurredAt, data }] of events.entries()) {
      const row = rows[i] as Record<string, string>;
      const isHoneypot = row.severity === "HOTW-test";
      const { effortMs, annotator, rating, tags, sourceLine, context } = data as Data;
      expect([Date.parse(occurredAt), annotator, sourceLine]).toEqual([Number(row.timestamp_ms), row.rater, i + 2]);
      expect(effortMs).toBe(row.effort_ms === "" ? undefined : Number(row.effort_ms));
      expect(tags).toEqual([row.severity, row.category]);
      expect((context as Data | undefined)?.modelId).toBe(isHoneypot ? undefined : row.system);
      if (!isHoneypot) penalty -= rating as number;
    }
    const weights = rows.map(({ category, severity }): number => {
      if (category === "Non-translation!") return 25;
      if (severity === "Minor") return category === "Fluency/Punctuation" ? 0.1 : 1;
      return severity === "Major" ? 5 : 0;
    });
    expect(penalty).toBeCloseTo(
      weights.reduce((a, b) => a + b, 0),
      6,
    );
    expect(countBy(events, ({ stream }) => stream.split("~").at(-1))).toEqual(countBy(rows, ({ system }) => system));
  });

  test("predictions: two inferences a row, of one session, with the gold as label", async () => {
    await importTwice("predictions", [predictions], [60_900]);

    const rows = tableOf(realFile(predictions));
    const events = await setting.eventsOf(realFile(predictions));
    expect(countBy(events, ({ type }) => type)).toEqual({
      InferenceRequested: 20_300,
      InferenceCompleted: 20_300,
      HumanLabelApplied: 20_300,
    });
    const labels = events.filter(({ type }) => type === "HumanLabelApplied").map(({ data }) => data as Data);
    const judged = rows.flatMap(({ judge, gold, winner_order1, winner_order2 }) =>
      [winner_order1, winner_order2].map((winner) => ({
        judge,
        agreement: winner === "" ? undefined : winner === gold,
      })),
    );
    expect(countBy(labels, ({ modelId, agreement }) => `${modelId} ${agreement}`)).toEqual(
      countBy(judged, ({ judge, agreement }) => `${judge} ${agreement}`),
    );

    const sessions = new Map<unknown, unknown[]>();
    for (const { type, data } of events) {
      if (type !== "InferenceCompleted") continue;
      const { sessionId, output } = data as { sessionId: string; output?: { label: string } };
      sessions.set(sessionId, [...(sessions.get(sessionId) ?? []), output?.label]);
    }
    expect(sessions.size).toBe(rows.length);
    const disagree = [...sessions.values()].filter(([one, other]) => one !== other).length;
    expect(disagree).toBe(rows.filter(({ winner_order1, winner_order2 }) => winner_order1 !== winner_order2).length);
  });
});
