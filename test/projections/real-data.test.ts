/** Real files as one history, and what the projections make of it against figures counted without them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { EventStore } from "retrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RuntimeChild, startRuntime } from "../../actors/verbs/demo/runtime-child.ts";
import { runIdOf } from "../../actors/verbs/import/run-id.ts";
import { builtInActors } from "../../src/runtime/actor-files.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { loadActors } from "../../src/runtime/loader.ts";
import { openLog } from "../../src/runtime/log.ts";
import { Projections } from "../../src/runtime/projections/projections.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { cli, root } from "../imports/built-cli.ts";
import { absentFile, realFile, tableOf } from "../imports/import-setting.ts";
import { absent, manifestRuns, stepLogPath } from "../imports/shared-data.ts";
import { tempDir } from "../support/temp.ts";

const verdicts = "predictions/llmbar_judge_verdicts.tsv";
const corrections = "corrections/crowdwsa_J1.labels.tsv";
const manifest = "documents/manifest.json";
const sessions = "agent-sessions";
const missing = absent ?? absentFile([verdicts, corrections, manifest, sessions]);

describe.skipIf(missing !== undefined)("real data", () => {
  let store: EventStore;
  let projections: Projections;

  beforeAll(async () => {
    const data = tempDir();
    const runtime: RuntimeChild = await startRuntime(root, data);
    const imports: readonly (readonly string[])[] = [
      ["training-log", ...manifestRuns.map(({ file }) => stepLogPath(file))],
      ["predictions", realFile(verdicts)],
      ["corrections", realFile(corrections)],
      ["documents", realFile(manifest)],
      ["agent-sessions", ...readdirSync(realFile(sessions)).map((file) => join(realFile(sessions), file))],
    ];
    for (const [kind, ...files] of imports) {
      const { stderr } = await cli("import", kind as string, "--nats", runtime.nats, ...files);
      // The manifest of the documents lists files that are not here.
      if (kind !== "documents") expect(stderr).toBe("");
    }
    await runtime.stop();
    store = openLmdbStore({ path: join(data, "log"), newId: () => "id" });
    const { aggregates, projections: shipped } = await loadActors([builtInActors]);
    // Made anew from the log, all of them together.
    const made = [...shipped].map(([name, one]) => [name, { ...one, mode: "sync", version: 1_000 }] as const);
    projections = new Projections({
      store,
      projections: new Map(made),
      aggregates,
      clock: systemClock(),
      log: openLog("silent"),
    });
    projections.startBuilding();
    await projections.built();
    await projections.stop();
  }, 600_000);

  afterAll(async () => {
    await store.close();
  });

  type Fields = Record<string, unknown>;
  const rowsOf = (name: string, prefix = ""): [string, Fields][] => {
    const { rows = [] } = projections.read(store, name, { prefix, limit: 1_000_000 }) ?? {};
    return rows.map(({ key, value }) => [key, value as Fields]);
  };
  const eventsOf = (type: string) => [...store.readAll({ types: [type] })];
  const countBy = (values: readonly unknown[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
    return counts;
  };

  test("nothing is parked anywhere, and all of it is live", () => {
    const bad = projections.status().filter(({ parked, status }) => parked > 0 || status !== "live");
    expect(bad).toEqual([]);
    expect(store.position()).toBeGreaterThan(60_000);
  });

  test("training-summaries: every run at its last step, with the losses that its log ends on", () => {
    const rows = new Map(rowsOf("training-summaries"));
    expect([...rows.keys()].sort()).toEqual(manifestRuns.map(({ file }) => runIdOf(file)).sort());
    for (const { file, final_val_loss } of manifestRuns) {
      const text = readFileSync(stepLogPath(file), "utf8");
      const steps = [...text.matchAll(/^(?:step:(\d+)\/\d+|s:(\d+) (?:tel|trl))/gm)].map(([, a, b]) => Number(a ?? b));
      const losses = [...text.matchAll(/val_loss:([\d.]+)|^s:\d+ tel:([\d.]+)/gm)].map(([, a, b]) => Number(a ?? b));
      const { lastStep, status, metrics } = rows.get(runIdOf(file)) as Fields;
      const { last, best } = (metrics as Record<string, { last: Fields; best: Fields }>).val_loss ?? {};
      expect([file, status, lastStep]).toEqual([file, "completed", Math.max(...steps)]);
      expect([last?.value, best?.value]).toEqual([final_val_loss, Math.min(...losses)]);
    }
  });

  test("cohorts: each judge as often right as the table says", () => {
    const judged = tableOf(realFile(verdicts)).flatMap(({ judge, gold, winner_order1, winner_order2 }) =>
      [winner_order1, winner_order2].map((winner) => ({ judge, winner, isRight: winner === gold })),
    );
    const cohort = projections.read(store, "cohorts", { key: "(none)" })?.rows[0]?.value as Fields;
    const answered = judged.filter(({ winner }) => winner !== "");
    expect(cohort).toMatchObject({
      inferences: judged.length,
      compared: answered.length,
      agreed: answered.filter(({ isRight }) => isRight).length,
      corrections: tableOf(realFile(corrections)).length,
    });
    const models = Object.entries(cohort.models as Record<string, { agreed: number; inferences: number }>);
    const byJudge = countBy(judged.map(({ judge }) => judge));
    const rightByJudge = countBy(answered.flatMap(({ judge, isRight }) => (isRight ? [judge] : [])));
    for (const [judge, count] of Object.entries(byJudge)) {
      const own = models.filter(([model]) => model.startsWith(`${judge}/`));
      expect([judge, own.reduce((sum, [, { inferences }]) => sum + inferences, 0)]).toEqual([judge, count]);
      expect(own.reduce((sum, [, { agreed }]) => sum + agreed, 0)).toBe(rightByJudge[judge] ?? 0);
    }
  });

  test("document-status: every document at its newest revision", () => {
    const newest = new Map<string, unknown>();
    for (const { stream, data } of store.readAll({ types: ["DocumentSubmitted", "DocumentUpdated"] })) {
      newest.set(stream.slice("document-".length), (data as Fields).revision);
    }
    expect(newest.size).toBeGreaterThan(10);
    expect(new Map(rowsOf("document-status").map(([id, { revision }]) => [id, revision]))).toEqual(
      new Map([...newest].sort(([a], [b]) => (a < b ? -1 : 1))),
    );
  });

  test("audit: every label, correction and decision, once", () => {
    const each = rowsOf("audit").filter(([key]) => /\/\d{12}$/.test(key));
    const counted = countBy(each.map(([, { type }]) => type));
    for (const type of ["HumanLabelApplied", "CorrectionSubmitted", "DecisionMade"]) {
      expect([type, counted[type]]).toEqual([type, eventsOf(type).length]);
      expect(counted[type]).toBeGreaterThan(10);
    }
    const subjects = rowsOf("audit").filter(([key]) => !/\/\d{12}$/.test(key));
    expect(subjects.reduce((sum, [, { decisions }]) => sum + Number(decisions), 0)).toBe(each.length);
  });

  test("lineage: each inference under the judge that answered, and each run under its code", () => {
    const judges = new Set(tableOf(realFile(verdicts)).map(({ judge }) => judge));
    const answered = rowsOf("lineage", "down/model-").filter(([, { kind }]) => kind === "answered");
    const inferences = new Set(eventsOf("InferenceCompleted").map(({ stream }) => stream));
    expect(new Set(answered.map(([, { to }]) => to))).toEqual(inferences);
    expect(new Set(answered.map(([, { from }]) => String(from).replace(/^model-|@.*$/g, ""))).size).toBe(judges.size);

    const sameCode = rowsOf("lineage", "down/code-").map(([, { from, to }]) => ({ from, to }));
    const byCode = countBy(sameCode.map(({ from }) => from));
    expect(sameCode).toHaveLength(manifestRuns.filter(({ code_sha256 }) => code_sha256 !== null).length);
    expect(Math.max(...Object.values(byCode))).toBe(6);
  });
});
