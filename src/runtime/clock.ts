/** The one place where the runtime reads the clock and makes ids; everything else is told. */
import { ulids } from "../wire/ulid.ts";

/** Time and ids, replaceable in simulations. */
export interface Clock {
  /** Now, ISO 8601 UTC with milliseconds. */
  now(): string;
  /** A ULID: unique, and ascending within this process. */
  newId(): string;
}

/** The machine's clock. */
export function systemClock(): Clock {
  let lastMs = -1;
  let lastIso = "";
  const now = (): string => {
    const ms = Date.now();
    if (ms !== lastMs) {
      lastMs = ms;
      lastIso = new Date(ms).toISOString();
    }
    return lastIso;
  };
  return { now, newId: ulids(Date.now) };
}
