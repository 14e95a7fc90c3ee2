/** Turns the timers of a log, which restart, into times that never go back. */

/** The clock of one log. Without a date every time is undefined. */
export interface Timeline {
  /** The first date of the log, ISO 8601. */
  readonly startedAt: string | undefined;
  /** The log names a date: the timer counts from here. */
  date(epochMs: number): void;
  /** The time at which the log's timer shows `elapsedMs`. A timer lower than before has been restarted. */
  at(elapsedMs: number | undefined): string | undefined;
}

/** Starts the clock of a log. */
export function timeline(): Timeline {
  let startMs: number | undefined;
  let baseMs = 0;
  let timerMs = 0;
  let lastMs = 0;
  return {
    get startedAt() {
      return startMs === undefined ? undefined : new Date(startMs).toISOString();
    },
    date: (epochMs) => {
      startMs ??= epochMs;
      baseMs = Math.max(epochMs, lastMs);
      lastMs = baseMs;
      timerMs = 0;
    },
    at: (elapsedMs) => {
      if (startMs === undefined) return undefined;
      if (elapsedMs !== undefined) {
        if (elapsedMs < timerMs) baseMs += timerMs;
        timerMs = elapsedMs;
        lastMs = Math.max(lastMs, baseMs + elapsedMs);
      }
      return new Date(Math.round(lastMs)).toISOString();
    },
  };
}
