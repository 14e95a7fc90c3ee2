/** CPU time of processes: unlike wall time, nearly the same whatever else the machine does. */
import { readFileSync } from "node:fs";

/** Of `/proc/<pid>/stat`: user space always sees a hundredth of a second. */
const msPerTick = 10;
/** Of utime, counted from behind the closing parenthesis of the command's name; stime follows. */
const userTimeField = 11;

/** The processes of a measurement, by role. */
export type Roles = Readonly<Record<string, number>>;
/** CPU milliseconds, user and system, by role. */
export type CpuMs = Readonly<Record<string, number>>;

/** What the processes have used since they started; empty where there is no /proc. */
export function cpuMs(roles: Roles): CpuMs {
  const entries = Object.entries(roles).map(([role, pid]) => [role, processCpuMs(pid)] as const);
  return Object.fromEntries(entries.filter(([, ms]) => ms !== undefined)) as CpuMs;
}

/** What was used between two readings. */
export function cpuBetween(before: CpuMs, after: CpuMs): CpuMs {
  return Object.fromEntries(Object.entries(after).map(([role, ms]) => [role, ms - (before[role] ?? 0)]));
}

function processCpuMs(pid: number): number | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(") ") + 2).split(" ");
  return (Number(fields[userTimeField]) + Number(fields[userTimeField + 1])) * msPerTick;
}

/** Bytes of a process that no file backs: its heaps, without LMDB's map. Undefined where there is no /proc. */
export function anonymousBytes(pid: number): number | undefined {
  const line = readProc(`/proc/${pid}/status`)?.match(/^RssAnon:\s+(\d+) kB$/m);
  return line === undefined || line === null ? undefined : Number(line[1]) * 1_024;
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
