/** Temporary folders for tests: each is removed when its test file is done. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

const folders = new Set<string>();

/** Makes an empty folder under the system's temporary folder; it is removed after the last test of the file that imports this. */
export function tempDir(prefix = "retrace-"): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), prefix));
  folders.add(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  folders.clear();
});
