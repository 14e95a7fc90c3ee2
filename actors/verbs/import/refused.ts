/** Why a file is not imported: what concerns this file alone, so that the others can still come in. */
import { Fault } from "retrace";

/** Why a file is not imported, in a sentence. */
export class ImportRefused extends Error {
  override readonly name = "ImportRefused";
}

/** Whether the other files can still come in; anything else is a bug. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Fault || error instanceof ImportRefused || (error instanceof Error && "syscall" in error);
}
