/** Files of the actors folders: which there are, what they are called, and what they export. */
import { existsSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The actors that ship with Retrace: beside `src`, in the sources as in the build. */
export const builtInActors = fileURLToPath(new URL("../../actors", import.meta.url));

/** The TypeScript and JavaScript files right in a folder, sorted; tests and declarations left out. */
export function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|js|mjs)$/.test(entry.name) && !/\.(d|test)\.ts$/.test(entry.name))
    .map((entry) => join(folder, entry.name))
    .sort();
}

/** What a file is called: the name of what it defines. */
export function nameOf(file: string): string {
  return basename(file).replace(/\.(ts|js|mjs)$/, "");
}

/** The default export of a file, or a sentence about why there is none. */
export async function defaultExport(file: string): Promise<unknown> {
  try {
    const loaded = (await importFile(file)) as { default?: unknown };
    return loaded.default ?? "there is no default export";
  } catch (error) {
    return `cannot be loaded: ${(error as Error).message}`;
  }
}

/** Node strips types by itself from 22.18; before that, jiti does. */
async function importFile(file: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_UNKNOWN_FILE_EXTENSION") throw error;
    const { createJiti } = await import("jiti");
    // Without the option a module that exports nothing by default would seem to export itself. A relative path would be
    // looked for beside this file.
    return createJiti(import.meta.url, { interopDefault: false }).import(resolve(file));
  }
}
