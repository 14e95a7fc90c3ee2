/** Who acts on the command line, for the history of what was done. */
import { userInfo } from "node:os";

/** What helps say of an option that names who acts. */
export const actorDefault = "default: RETRACE_ACTOR, or else the user of this shell";

/** The name given, or else RETRACE_ACTOR, or else the user of the process. */
export function whoActs(given: string | undefined): string {
  return given ?? process.env.RETRACE_ACTOR ?? userName();
}

/** In a container, the user may have a number and no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user-${process.getuid?.() ?? "unknown"}`;
  }
}
