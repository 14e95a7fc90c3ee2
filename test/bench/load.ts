/** Closed-loop load: so many operations in flight at any time, each followed at once by the next. */
import { percentile } from "./figures.ts";

/** What a slice of load did. */
export interface LoadResult {
  readonly operations: number;
  readonly seconds: number;
  /** Operations per second. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Runs for `forMs`. What an operation throws ends the load: the benchmark counts nothing that failed. */
export async function load(
  operation: () => Promise<unknown>,
  { concurrency, forMs }: { readonly concurrency: number; readonly forMs: number },
): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  const startedAt = performance.now();
  const worker = async (): Promise<void> => {
    for (let now = startedAt; now - startedAt < forMs; ) {
      const from = performance.now();
      await operation();
      now = performance.now();
      latenciesMs.push(now - from);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const seconds = (performance.now() - startedAt) / 1_000;
  const operations = latenciesMs.length;
  return {
    operations,
    seconds,
    rate: operations / seconds,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
  };
}

/** One of each operation after the other, `turns` times over. Resolves with the median of each, in milliseconds. */
export async function byTurns(operations: readonly (() => unknown)[], turns: number): Promise<number[]> {
  const durations = operations.map((): number[] => []);
  for (let turn = 0; turn < turns; turn++) {
    for (const [i, operation] of operations.entries()) {
      const from = performance.now();
      await operation();
      durations[i]?.push(performance.now() - from);
    }
  }
  return durations.map((each) => percentile(each, 0.5));
}

/** Runs an operation for each of so many numbers, from 0, at a concurrency. */
export async function each(
  count: number,
  concurrency: number,
  operation: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await operation(next - 1);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}
