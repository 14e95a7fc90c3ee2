/** A small file system in memory to fill up or to lock, where this user may mount one. */
import { spawnSync } from "node:child_process";
import { tempDir } from "../support/temp.ts";

export interface SmallDisk {
  readonly path: string;
  makeReadOnly(): void;
  unmount(): void;
}

/** Mounts a tmpfs, or says why it cannot. */
export function mountSmallDisk(sizeMiB: number): SmallDisk | string {
  const path = tempDir();
  const refused = run("mount", "-t", "tmpfs", "-o", `size=${sizeMiB}m`, "tmpfs", path);
  if (refused !== undefined) return `cannot mount a tmpfs here: ${refused}`;
  return {
    path,
    makeReadOnly: () => orThrow(run("mount", "-o", "remount,ro", path)),
    // Lazily, so that it goes away also when a failed test leaves a process behind that uses it.
    unmount: () => orThrow(run("umount", "-l", path)),
  };
}

function run(command: string, ...args: string[]): string | undefined {
  const { status, error, stderr } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

function orThrow(failure: string | undefined): void {
  if (failure !== undefined) throw new Error(failure);
}
