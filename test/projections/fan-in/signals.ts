/** What was predicted, and what people said: counted row by row from the tables. */
import assert from "node:assert/strict";
import type { FanIn, Fields } from "../fan-in.ts";
import { assertClose, assertSameNames, type Check, rowsOf } from "./counting.ts";
import { filesOf, type Import, importedAt, tableIn, tablesOf } from "./files.ts";

/** One answer of a judge. */
export interface Verdict {
  readonly judge: string;
  readonly winner: string;
  readonly gold: string;
}

/** Two of each row: the answers in one order, and in the other. */
export function verdictsIn(imports: readonly Import[]): Verdict[] {
  return tablesOf(imports, "predictions").flatMap((table) =>
    table.flatMap(({ judge = "", gold = "", winner_order1 = "", winner_order2 = "" }) =>
      [winner_order1, winner_order2].map((winner) => ({ judge, winner, gold })),
    ),
  );
}

/** A rating of a segment, in tenths of a point, so that they can be added without rounding. */
interface Rating {
  readonly system: string;
  readonly segment: string;
  readonly atMs: number;
  readonly tags: readonly string[];
  readonly isHoneypot: boolean;
  readonly tenths: number;
  readonly lowest: number;
  readonly highest: number;
}

/** All ratings. */
export function ratingsIn(imports: readonly Import[]): Rating[] {
  return tablesOf(imports, "ratings").flatMap((table) =>
    table.map(({ system = "", globalSegId = "", category = "", severity = "", timestamp_ms }) => {
      const about = { system, segment: globalSegId, atMs: Number(timestamp_ms), tags: [severity, category] };
      if (severity === "HOTW-test") {
        return { ...about, isHoneypot: true, tenths: category === "Found" ? 10 : 0, lowest: 0, highest: 1 };
      }
      if (category === "Non-translation!") {
        return { ...about, isHoneypot: false, tenths: -250, lowest: -25, highest: 0 };
      }
      const minor = category === "Fluency/Punctuation" ? -1 : -10;
      const tenths = { Major: -50, Minor: minor }[severity] ?? 0;
      return { ...about, isHoneypot: false, tenths, lowest: -5, highest: 0 };
    }),
  );
}

function isNegative({ tenths, lowest, highest }: Rating): boolean {
  return tenths / 10 < (lowest + highest) / 2;
}

/** What somebody made of a sentence, or what it should be. */
interface Correction {
  readonly sentence: string;
  readonly text: string;
  /** Undefined of the truth. */
  readonly worker: string | undefined;
}

/** All corrections by people. */
export function correctionsIn(imports: readonly Import[]): Correction[] {
  return filesOf(imports, "corrections").flatMap((file) =>
    tableIn(file).map(({ sentence = "", workeranswer = "", worker }) => ({ sentence, text: workeranswer, worker })),
  );
}

/** The sentences of which the truth is known. */
export function truthsIn(imports: readonly Import[]): Correction[] {
  return filesOf(imports, "corrections").flatMap((file) =>
    tableIn(file.replace(".labels.", ".gold.")).map(({ sentence = "", trueanswer = "" }) => {
      return { sentence, text: trueanswer, worker: undefined };
    }),
  );
}

/** Counts of a window. */
interface Window {
  readonly modelId: string;
  readonly tag: string | undefined;
  readonly size: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly counts: Record<string, number>;
  tenths: number;
  shares: number;
  negative: number;
  agreed: number;
  compared: number;
}

const minuteMs = 60_000;
const sizes = { "5m": 5 * minuteMs, "1h": 60 * minuteMs, "1d": 1_440 * minuteMs };

/** Counts and means in windows of the time at which things happened: as rated, as answered, and as right as the gold says. */
export const feedbackStats: Check = (fanIn) => {
  const windows = windowsIn(fanIn);
  const rows = rowsOf(fanIn, "feedback-stats");
  assertSameNames(rows.keys(), windows.keys(), "windows");
  for (const [key, window] of windows) {
    const { tenths, shares, negative, agreed, compared, counts } = window;
    const row = rows.get(key) as Fields;
    const { UserRatedOutput: rated = 0, InferenceCompleted: answered = 0 } = counts;
    assert.deepEqual([key, row.counts], [key, counts]);
    assert.deepEqual([row.modelId, row.tag, row.window], [window.modelId, window.tag, window.size]);
    assert.deepEqual(
      [row.start, row.end],
      [window.startMs, window.endMs].map((ms) => new Date(ms).toISOString()),
    );
    assertMean(row.rating, rated, tenths / 10, key);
    assertMean(row.ratingShare, rated, shares, key);
    assertMean(row.reward, 0, 0, key);
    assert.deepEqual(row.negative, rateOf(negative, rated), key);
    assert.deepEqual(row.correction, rateOf(0, answered), key);
    assert.deepEqual(row.accuracy, rateOf(agreed, compared), key);
    assert.deepEqual(row.deployments, {}, key);
  }
};

function windowsIn({ imports }: FanIn): Map<string, Window> {
  const windows = new Map<string, Window>();
  const each = (modelId: string, atMs: number, tags: readonly string[], count: (window: Window) => void): void => {
    for (const [size, lengthMs] of Object.entries(sizes)) {
      const startMs = Math.floor(atMs / lengthMs) * lengthMs;
      for (const tag of [undefined, ...new Set(tags)]) {
        const names = [modelId, "", size, new Date(startMs).toISOString(), ...(tag === undefined ? [] : [tag])];
        const key = names.map((name) => name.replaceAll("%", "%25").replaceAll("/", "%2F")).join("/");
        const counts = { counts: {}, tenths: 0, shares: 0, negative: 0, agreed: 0, compared: 0 };
        const window = windows.get(key) ?? { modelId, tag, size, startMs, endMs: startMs + lengthMs, ...counts };
        windows.set(key, window);
        count(window);
      }
    }
  };
  for (const { judge, winner, gold } of verdictsIn(imports)) {
    each(judge, Date.parse(importedAt), [], (window) => {
      plusOne(window.counts, "InferenceCompleted");
      plusOne(window.counts, "HumanLabelApplied");
      window.compared += winner === "" ? 0 : 1;
      window.agreed += winner === gold ? 1 : 0;
    });
  }
  for (const rating of ratingsIn(imports)) {
    // They tell of the rater, and not of the system.
    if (rating.isHoneypot) continue;
    each(rating.system, rating.atMs, rating.tags, (window) => {
      plusOne(window.counts, "UserRatedOutput");
      window.tenths += rating.tenths;
      window.shares += (rating.tenths / 10 - rating.lowest) / (rating.highest - rating.lowest);
      window.negative += isNegative(rating) ? 1 : 0;
    });
  }
  return windows;
}

function plusOne(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function rateOf(count: number, of: number) {
  return { count, of, rate: of === 0 ? null : count / of };
}

function assertMean(found: unknown, count: number, sum: number, key: string): void {
  const {
    count: counted,
    mean,
    sum: parts,
  } = found as {
    readonly count: number;
    readonly mean: number | null;
    readonly sum: readonly number[];
  };
  assert.equal(counted, count, key);
  assertClose(
    parts.reduce((total, part) => total + part, 0),
    sum,
    key,
  );
  if (count === 0) assert.equal(mean, null, key);
  else assertClose(mean, sum / count, key);
}

/** No file names a segment of users, so there is one cohort: each judge as often right as the table says. */
export const cohorts: Check = (fanIn) => {
  const { imports } = fanIn;
  const none = {
    inferences: 0,
    lowConfidence: 0,
    corrected: 0,
    corrections: 0,
    compared: 0,
    agreed: 0,
    judged: 0,
    negative: 0,
  };
  const all = { ...none };
  const models: Record<string, typeof none> = {};
  const add = (model: string | undefined, changes: Partial<typeof none>): void => {
    const own = model === undefined ? all : (models[`${model}/(none)`] ?? { ...none });
    if (model !== undefined) models[`${model}/(none)`] = own;
    for (const counts of new Set([all, own])) {
      for (const [name, by] of Object.entries(changes)) counts[name as keyof typeof none] += by;
    }
  };
  for (const { judge, winner, gold } of verdictsIn(imports)) {
    const compared = winner === "" ? 0 : 1;
    add(judge, { inferences: 1, compared, agreed: winner === gold ? 1 : 0 });
  }
  for (const rating of ratingsIn(imports)) {
    add(rating.isHoneypot ? undefined : rating.system, { judged: 1, negative: isNegative(rating) ? 1 : 0 });
  }
  const corrections = correctionsIn(imports);
  add(undefined, {
    corrections: corrections.length,
    corrected: new Set(corrections.map(({ sentence }) => sentence)).size,
  });
  const shareOf = (part: number, whole: number) => (whole === 0 ? null : part / whole);
  const rates = {
    lowConfidenceRate: 0,
    correctionRate: shareOf(all.corrected, all.inferences),
    agreementRate: shareOf(all.agreed, all.compared),
    negativeRate: shareOf(all.negative, all.judged),
  };
  assert.deepEqual(Object.fromEntries(rowsOf(fanIn, "cohorts")), { "(none)": { ...all, ...rates, models } });
};

/** Nobody approves or rejects an output in these files: they rate, compare, correct and label. */
export const approvalsByProducer: Check = (fanIn) => {
  assert.deepEqual([...rowsOf(fanIn, "approvals-by-producer")], []);
};

/** No prediction in these files says what was retrieved for it, so no chunk is known to have been of use. */
export const retrievalStats: Check = (fanIn) => {
  assert.deepEqual([...rowsOf(fanIn, "retrieval-stats")], []);
};
