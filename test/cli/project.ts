/** A user's folder of actors, for tests of what loads it. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tempDir } from "../support/temp.ts";
import { root } from "./run-cli.ts";

/** A folder with these files, in `aggregates/` unless they name another folder; it finds this package as a user's project does. */
export function project(files: Readonly<Record<string, string>>): string {
  const folder = tempDir();
  mkdirSync(join(folder, "aggregates"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "retrace"));
  for (const name of ["xstate", "zod"]) {
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name.includes("/") ? name : `aggregates/${name}`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return folder;
}
