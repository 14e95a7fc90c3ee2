/** When an import ends before its file does. */
import type { Fault } from "retrace";

/** Where it was given up, and why; importing again goes on from there. */
export interface Stopped {
  readonly line: number;
  readonly reason: string;
}

/** Whether a refusal is not of the one command: what follows would fare no better, or would overtake it on its stream. */
export function stopsAll(fault: Fault): boolean {
  return fault.isRetryable || fault.code.startsWith("UNKNOWN_");
}
