/**
 * Ends a child process when this process is gone, however it went, SIGKILL included: a shell waits on a pipe that only this process holds open.
 */
import { spawn } from "node:child_process";

// SIGKILL follows after 5 s, so that a server that hangs while it stops does not stay.
const script = 'read -r _; kill "$0"; for _ in 1 2 3 4 5; do sleep 1; kill -0 "$0" || exit 0; done; kill -9 "$0"';

/** A reaper at work. */
export interface Reaper {
  /** Calls it off; to be called as soon as the watched process has exited, before its pid can be given to another. */
  dismiss(): void;
}

/** Watches over the process `pid`. Does nothing on Windows. */
export function reapOnDeath(pid: number): Reaper {
  if (process.platform === "win32") return { dismiss: () => {} };
  // Its own process group: a Ctrl-C or a kill of the whole group must not take the reaper first.
  const shell = spawn("sh", ["-c", script, String(pid)], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  shell.on("error", () => {});
  shell.stdin.on("error", () => {});
  shell.unref();
  (shell.stdin as unknown as { unref?: () => void }).unref?.();
  return { dismiss: () => void shell.kill("SIGKILL") };
}
