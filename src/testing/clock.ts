/** A clock for tests: it stands until it is set. */
import type { Clock } from "../runtime/clock.ts";

/** A clock that is set by hand. */
export interface TestClock extends Clock {
  /** Sets it forward. */
  advance(ms: number): void;
}

/** Begins at `startMs`, in milliseconds since 1970; by default, 2026 begins. Its ids are `id-1`, `id-2` and so on. */
export function testClock(startMs = Date.parse("2026-01-01T00:00:00Z")): TestClock {
  let nowMs = startMs;
  let ids = 0;
  return {
    now: () => new Date(nowMs).toISOString(),
    newId: () => {
      ids += 1;
      return `id-${ids}`;
    },
    advance: (ms) => {
      nowMs += ms;
    },
  };
}
