/** The runtime's own log: one JSON object a line on stderr. */
import { destination, type Logger, pino } from "pino";

export type Log = Logger;

/** Levels as in pino; `silent` for tests. */
export function openLog(level: string): Log {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination({ dest: 2, sync: true }));
}
