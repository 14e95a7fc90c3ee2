/** Training runs and what is made of them, read from the logs with plain patterns. */
import assert from "node:assert/strict";
import type { Fields } from "../fan-in.ts";
import { assertSameNames, type Check, rowsOf } from "./counting.ts";
import { filesOf, type Import, plainName, tableIn, textOf } from "./files.ts";

/** What a log says. */
export interface Run {
  readonly id: string;
  readonly lastStep: number;
  /** By metric, what was last said of each step, in order. */
  readonly metrics: ReadonlyMap<string, ReadonlyMap<number, number>>;
  readonly code: string | undefined;
  readonly durationMs: number | undefined;
  /** ISO 8601, for a log that says so, taken as UTC. A time that is still to come is not believed. */
  readonly startedAt: string | undefined;
}

interface ManifestEntry {
  readonly file: string;
  readonly code_sha256: string | null;
  readonly final_val_loss: number;
  readonly train_time_ms: number | null;
}

/** The runs of the imported logs. */
export function runsIn(imports: readonly Import[]): Run[] {
  return filesOf(imports, "training-log").map((file) => (file.endsWith(".csv") ? measured(file) : logged(file)));
}

type Reading = readonly [name: string, step: number, value: number];

function measured(file: string): Run {
  const readings = tableIn(file, ",").flatMap(({ global_step, ...cells }) =>
    Object.entries(cells).flatMap(([name, text]): Reading[] =>
      text === "" ? [] : [[name, Number(global_step), Number(text)]],
    ),
  );
  const metrics = byMetric(readings);
  const seconds = [...(metrics.get("total_duration")?.values() ?? [])].at(-1);
  const durationMs = seconds === undefined ? undefined : Math.round(1_000 * seconds);
  return {
    id: plainName(file),
    lastStep: lastIn(readings),
    metrics,
    code: undefined,
    durationMs,
    startedAt: undefined,
  };
}

function logged(file: string): Run {
  const text = textOf(file);
  const named: Record<string, string> = { trl: "train_loss", tel: "val_loss" };
  const readings = [...text.matchAll(/^s(?:tep)?:(\d+)(?:\/\d+)? (.*)$/gm)].flatMap(([, step, words = ""]) =>
    [...words.matchAll(/(\w+):(\S+?)(ms)?(?:\s|$)/g)].flatMap(([, name = "", value, unit]): Reading[] => {
      const metric = `${named[name] ?? name}${unit === undefined ? "" : `_${unit}`}`;
      const reading: Reading = [metric, Number(step), Number(value)];
      return metric === "train_loss" ? [reading, ["loss", reading[1], reading[2]]] : [reading];
    }),
  );
  const { code_sha256, train_time_ms } = manifestEntry(file);
  return {
    id: plainName(file),
    lastStep: lastIn(readings),
    metrics: byMetric(readings),
    code: code_sha256 ?? undefined,
    durationMs: train_time_ms ?? undefined,
    startedAt: timeIn(text),
  };
}

/** Of the line that `date` has printed. */
function timeIn(text: string): string | undefined {
  const [, date, time, year] = /^\w{3} (\w{3} +\d+) ([\d:]{8}) (\d{4}) *$/m.exec(text) ?? [];
  const startedMs = Date.parse(`${date} ${year} ${time} UTC`);
  return Number.isNaN(startedMs) || startedMs > Date.now() ? undefined : new Date(startedMs).toISOString();
}

function manifestEntry(file: string): ManifestEntry {
  const manifest = file.replace(/[^/]*$/, "manifest.json");
  const { runs } = JSON.parse(textOf(manifest)) as { readonly runs: readonly ManifestEntry[] };
  const entry = runs.find((run) => file.endsWith(`/${run.file}`));
  if (entry === undefined) throw new Error(`${manifest} does not name ${file}`);
  return entry;
}

function lastIn(readings: readonly Reading[]): number {
  return readings.reduce((last, [, step]) => Math.max(last, step), 0);
}

function byMetric(readings: readonly Reading[]): Map<string, Map<number, number>> {
  const metrics = new Map<string, Map<number, number>>();
  for (const [name, step, value] of readings) metrics.set(name, (metrics.get(name) ?? new Map()).set(step, value));
  return metrics;
}

/** Every run at its last step, with the last and the best of all that its log says. */
export const trainingSummaries: Check = (fanIn) => {
  const rows = rowsOf(fanIn, "training-summaries");
  const runs = runsIn(fanIn.imports);
  assertSameNames(
    rows.keys(),
    runs.map(({ id }) => id),
    "runs",
  );
  for (const { id, lastStep, metrics, code, durationMs, startedAt } of runs) {
    const row = rows.get(id) as Fields;
    assert.deepEqual([id, row.status, row.lastStep, row.codeVersion], [id, "completed", lastStep, code]);
    if (startedAt !== undefined) assert.equal(row.startedAt, startedAt, id);
    if (durationMs !== undefined) assert.equal(row.durationMs, durationMs, id);
    assertSameNames(Object.keys(row.metrics as Fields), metrics.keys(), `metrics of ${id}`);
    for (const [name, values] of metrics) {
      const { last, best } = (row.metrics as Record<string, Fields>)[name] as Fields;
      const readings = [...values].map(([step, value]) => ({ step, value }));
      assert.deepEqual(last, readings.at(-1), `last ${name} of ${id}`);
      assert.deepEqual(best, bestOf(name, readings), `best ${name} of ${id}`);
      if (name !== "loss")
        assert.equal((row.finalMetrics as Fields)[name], readings.at(-1)?.value, `final ${name} of ${id}`);
    }
  }
  for (const file of filesOf(fanIn.imports, "training-log").filter((one) => !one.endsWith(".csv"))) {
    const { finalMetrics } = rows.get(plainName(file)) as { readonly finalMetrics: Fields };
    assert.equal(finalMetrics.val_loss, manifestEntry(file).final_val_loss, file);
  }
};

interface At {
  readonly step: number;
  readonly value: number;
}

/** The first of the lowest losses; of all else, the first of the highest. What is no number is neither. */
function bestOf(name: string, readings: readonly At[]): At | undefined {
  const sign = /loss/.test(name) ? 1 : -1;
  const numbers = readings.filter(({ value }) => Number.isFinite(value));
  return numbers.reduce<At | undefined>(
    (best, one) => (best === undefined || sign * one.value < sign * best.value ? one : best),
    undefined,
  );
}

/** Logs tell of no models, and an import of what is over asks nobody to approve one. */
export const modelCatalog: Check = (fanIn) => {
  assertSameNames(rowsOf(fanIn, "model-catalog").keys(), [], "models");
};
