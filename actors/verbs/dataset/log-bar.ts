/** A progress bar over the log, up to a position. */
import type { VerbTools } from "retrace";

/** Runs the work, which tells how far it has come. */
export async function withLogBar<Result>(
  tools: VerbTools,
  toPosition: number,
  work: (onPosition: (position: number) => void) => Promise<Result>,
): Promise<Result> {
  const bar = tools.progress("log", toPosition);
  let reached = 0;
  const onPosition = (position: number): void => {
    bar.advance(position - reached);
    reached = position;
  };
  try {
    return await work(onPosition);
  } finally {
    bar.stop();
  }
}
