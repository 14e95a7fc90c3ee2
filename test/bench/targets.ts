/** The targets that the benchmark holds its figures against. A missed one is a finding, not a failure of the run. */
import type { Figure } from "./figures.ts";

/** What became of one target. */
export interface Verdict {
  readonly target: string;
  readonly outcome: "met" | "not met" | "not measured";
  readonly measured?: number;
  readonly limit?: number;
  readonly unit: string;
}

interface Target {
  readonly text: string;
  readonly unit: string;
  readonly is: "at least" | "at most";
  /** Throws `NotMeasured` where the run has no such figure. */
  readonly measured: (get: Get) => number;
  readonly limit: (get: Get) => number;
}

type Get = (id: string) => number;

class NotMeasured extends Error {}

const fullSize = 1_000_000;
/** Verdicts in two orders with gold, six events a row, are measured and held against nothing. */
const importKinds = ["ratings", "corrections", "preferences", "predictions", "votes"];

const targets: readonly Target[] = [
  {
    text: "acknowledged commands against bare echo, concurrency 512",
    unit: "",
    is: "at least",
    measured: (get) => get("ratio.512"),
    limit: () => 0.5,
  },
  {
    text: "p50 of a command against 2 x echo + 1.5 x synced commit, one of each by turns",
    unit: "ms",
    is: "at most",
    measured: (get) => get("turns.command"),
    limit: (get) => 2 * get("turns.echo") + 1.5 * get("turns.commit"),
  },
  {
    text: "the same, each without a pause in a row of its own",
    unit: "ms",
    is: "at most",
    measured: (get) => get("command.1.p50"),
    limit: (get) => 2 * get("echo.1.p50") + 1.5 * get("commit.p50"),
  },
  {
    text: "replay: events read, decoded and folded, stream by stream",
    unit: "events/s",
    is: "at least",
    measured: (get) => get("replay.streams"),
    limit: () => 150_000,
  },
  {
    text: "a command on a stream of 1,000,000 events against one of 10",
    unit: "x",
    is: "at most",
    measured: (get) => atFullSize(get, "long.events", "long.hot.ratio"),
    limit: () => 1.2,
  },
  {
    text: "1,000,000 stored events: from spawn to the ready line",
    unit: "s",
    is: "at most",
    measured: (get) => atFullSize(get, "start.events", "start.stored"),
    limit: () => 2,
  },
  {
    text: "import: rows of files, the slowest kind of one to three events a row",
    unit: "rows/s",
    is: "at least",
    measured: (get) => Math.min(...importKinds.map((kind) => get(`import.${kind}.rate`))),
    limit: () => 8_000,
  },
  {
    text: "projections: events/s of a build that counts all in one row",
    unit: "events/s",
    is: "at least",
    measured: (get) => get("projection.one"),
    limit: () => 200_000,
  },
  {
    text: "commands with a sync projection against commands without, concurrency 512",
    unit: "",
    is: "at least",
    measured: (get) => get("projection.sync.ratio"),
    limit: () => 0.85,
  },
  {
    text: "one of 1,000,000 rows by its key, in process, p50",
    unit: "ms",
    is: "at most",
    measured: (get) => atFullSize(get, "projection.rows", "projection.key.p50"),
    limit: () => 1,
  },
  {
    text: "a page of 100 of 1,000,000 rows over NATS, p50",
    unit: "ms",
    is: "at most",
    measured: (get) => atFullSize(get, "projection.rows", "projection.page.p50"),
    limit: () => 5,
  },
  {
    text: "p50 of a saga of three steps, its commands included, against 5 x a single command",
    unit: "ms",
    is: "at most",
    measured: (get) => get("saga.three.p50"),
    limit: (get) => 5 * get("saga.command.p50"),
  },
  {
    text: "drift-guard: from the signal that crosses a threshold to the rollback, largest",
    unit: "ms",
    is: "at most",
    measured: (get) => get("drift.max"),
    limit: () => 2_000,
  },
];

/** A smaller store says nothing about a target that names a size. */
function atFullSize(get: Get, sizeId: string, id: string): number {
  if (get(sizeId) < fullSize) throw new NotMeasured();
  return get(id);
}

/** Every target, in the order of the issue. */
export function verdicts(figures: readonly Figure[]): Verdict[] {
  const values = new Map(figures.map(({ id, value }) => [id, value]));
  const get = (id: string): number => {
    const value = values.get(id);
    if (value === undefined) throw new NotMeasured();
    return value;
  };
  return targets.map((target) => verdict(target, get));
}

function verdict(target: Target, get: Get): Verdict {
  const { text, unit, is } = target;
  try {
    const measured = target.measured(get);
    const limit = target.limit(get);
    const isMet = is === "at least" ? measured >= limit : measured <= limit;
    return { target: text, outcome: isMet ? "met" : "not met", measured, limit, unit };
  } catch (error) {
    if (error instanceof NotMeasured) return { target: text, outcome: "not measured", unit };
    throw error;
  }
}
