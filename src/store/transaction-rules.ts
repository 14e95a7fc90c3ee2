/** What a store refuses of the transactions of its callers, because it would corrupt the log. Each is a bug of the caller. */

/** Transactions do not nest: a second writer inside the first would not see what the first has appended. */
export function assertNoneRuns(running: unknown): void {
  if (running !== undefined) throw new Error("a transaction is running: write with it instead of opening another");
}

/** A transaction is written with inside its own function only. */
export function assertRunning(isRunning: boolean): void {
  if (!isRunning) throw new Error("this transaction is not running: write with it inside its own function only");
}

/** What a transaction's function returned: the transaction ends there, so it cannot be a promise of more. */
export function synchronous<T>(value: T): T {
  if (!(value instanceof Promise)) return value;
  value.catch(() => {});
  throw new Error("the function of a transaction must be synchronous: await before it or behind it");
}
