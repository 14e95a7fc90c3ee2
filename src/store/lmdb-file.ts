/** The file of the LMDB store: is there room for it, is it what it should be, and what do its errors mean. */
import { closeSync, existsSync, openSync, readSync, statfsSync, statSync } from "node:fs";
import { Fault } from "../core/fault.ts";

/** LMDB maps its lock file on opening; without room for it the process would die of a bus error. */
export const bytesToOpen = 16 * 1024 * 1024;
/** LMDB survives a write that finds no room, but reporting it overruns a buffer, which may end the process later. */
export const bytesToWrite = 64 * 1024 * 1024;
/** Where LMDB says that a file is its own, and what it says. */
const magicOffset = 24;
const magic = 0xbeefc0de;

/** Refuses when the disk of a folder has less than so many bytes free. @throws Fault STORE_UNAVAILABLE */
export function assertRoom(path: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(path);
  if (bavail * bsize >= bytes) return;
  throw new Fault("STORE_UNAVAILABLE", `the disk of ${path} is full: have at least ${bytes >> 20} MiB free`);
}

/** Opening a file that is not LMDB's would end the process with a segmentation fault. @throws Fault STORE_UNAVAILABLE */
export function assertReadable(file: string): void {
  if (!existsSync(file) || statSync(file).size === 0) return;
  const start = Buffer.alloc(magicOffset + 4);
  const descriptor = openSync(file, "r");
  try {
    readSync(descriptor, start);
  } finally {
    closeSync(descriptor);
  }
  if (start.readUInt32LE(magicOffset) === magic) return;
  throw new Fault("STORE_UNAVAILABLE", `${file} is damaged or not a store: put a backup in its place`);
}

/** The fault that stands for an error of the file system or of LMDB, with a sentence that says what to do. */
export function storeFault(error: unknown, path: string): Fault {
  if (error instanceof Fault) return error;
  const { code, message } = error as { code?: unknown; message: string };
  const reasons: Record<string, string> = {
    EACCES: `${path} is not writable: give this user write access, or name another folder with --data`,
    EROFS: `${path} is on a read-only file system: name another folder with --data`,
    ENOSPC: `the disk of ${path} is full: free some space`,
    ENOTDIR: `${path} is not a folder, or lies under a file: name another folder with --data`,
    EEXIST: `${path} is a file, not a folder: name another folder with --data`,
    13: `${path} is not writable: give this user write access, or name another folder with --data`,
    30: `${path} is on a read-only file system: name another folder with --data`,
    28: `the disk of ${path} is full: free some space`,
    5: `the disk of ${path} is full or failing: free some space and check it`,
  };
  return new Fault("STORE_UNAVAILABLE", reasons[String(code)] ?? `the store in ${path} failed: ${message}`, {}, error);
}

/** Whether an error came from LMDB: its errors carry the system's numbers. */
export function isStorageError(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code === "number";
}
