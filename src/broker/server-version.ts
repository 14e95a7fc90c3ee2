/**
 * Which nats-server versions Retrace works with. Used for the binary that is started here and for a server joined with `--nats`.
 */
import { StartRefused } from "../core/fault.ts";

/** The oldest nats-server that Retrace is tested with. */
export const minimumNatsServer = "2.12.0";

/** Whether `version` (`2.12.0`, with or without `v` and a suffix) is at least `minimumNatsServer`; false when it is not a version. */
export function isSupportedServer(version: string): boolean {
  return isVersion(version) && compareVersions(version, minimumNatsServer) >= 0;
}

/** Orders versions by major, minor and patch number; a suffix such as `-RC.1` does not count. */
export function compareVersions(a: string, b: string): number {
  const left = numbersOf(a);
  const right = numbersOf(b);
  const at = left.findIndex((part, index) => part !== right[index]);
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}

/** Whether the text is a version of three numbers, with or without a leading `v`. */
function isVersion(text: string): boolean {
  return /^v?\d+\.\d+\.\d+/.test(text);
}

/** Throws `StartRefused` when the server that said `version` in its INFO line is too old. */
export function assertServerVersion(version: string): void {
  if (isSupportedServer(version)) return;
  throw new StartRefused(
    `nats-server ${version} is too old: Retrace needs ${minimumNatsServer} or newer; upgrade that server or start without --nats.`,
  );
}

function numbersOf(version: string): number[] {
  return version.replace(/^v/, "").split(/[.-]/, 3).map(Number);
}
