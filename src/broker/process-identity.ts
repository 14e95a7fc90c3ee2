/**
 * Tells processes apart beyond their pid, which the system gives to another process later. Used to judge whether the owner of a data
 * folder or a broker of an earlier run is still alive.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * A text that no other process of this machine has, before or after: boot and start time on Linux, the start time elsewhere.
 * `undefined` when no process `pid` lives (a zombie does not). On Windows it only says that the pid is in use.
 */
export function processIdentity(pid: number): string | undefined {
  if (process.platform === "linux") return identityFromProc(pid);
  if (process.platform === "win32") return isPidInUse(pid) ? "alive" : undefined;
  const [state = "", ...started] = ps("stat=,lstart=", pid).split(/\s+/);
  return state === "" || state.startsWith("Z") ? undefined : started.join(" ");
}

/** Whether the living process `pid` was started with `word` in its command line. */
export function isCommandLineWith(pid: number, word: string): boolean {
  if (process.platform === "linux") return readOrEmpty(`/proc/${pid}/cmdline`).split("\0").includes(word);
  return process.platform !== "win32" && ps("args=", pid).includes(word);
}

function identityFromProc(pid: number): string | undefined {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  // The name in parentheses may hold spaces and parentheses; the state is the first field after it, the start time the twentieth.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = ""] = fields;
  if (state === "" || state === "Z" || state === "X") return undefined;
  return `${readOrEmpty("/proc/sys/kernel/random/boot_id").trim()}/${fields[19]}`;
}

function isPidInUse(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function ps(format: string, pid: number): string {
  try {
    return execFileSync("ps", ["-o", format, "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "";
  }
}
