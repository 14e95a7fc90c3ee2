/** Reads the lines of this package's own files. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Line, proseLines, sourceLines } from "./corpus.ts";

/** Lines and how many files they are from. */
export interface Corpus {
  readonly lines: readonly Line[];
  readonly files: number;
}

const sourceFolders = ["src", "actors", "schemas", "test"];
/** What an installed package has instead. */
const builtFolders = ["dist"];

/** The folder of the package that this file belongs to. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("the demonstration is not inside its package");
    folder = parent;
  }
  return folder;
}

/** The lines of the program files and documents under `root`, in the order of their paths. */
export async function readCorpus(root: string): Promise<Corpus> {
  const sources = await filesUnder(root, sourceFolders, /(?<!\.d)\.ts$/);
  const programs = sources.length > 0 ? sources : await filesUnder(root, builtFolders, /\.js$/);
  const documents = (await readdir(root)).filter((name) => name.endsWith(".md")).sort();
  const read = async (paths: readonly string[], linesOf: (text: string) => Line[]): Promise<Line[]> => {
    const texts = await Promise.all(paths.map((path) => readFile(join(root, path), "utf8")));
    return texts.flatMap(linesOf);
  };
  const lines = [...(await read(programs, sourceLines)), ...(await read(documents, proseLines))];
  return { lines, files: programs.length + documents.length };
}

async function filesUnder(root: string, folders: readonly string[], wanted: RegExp): Promise<string[]> {
  const listed = await Promise.all(
    folders.map(async (folder) => {
      if (!existsSync(join(root, folder))) return [];
      const names = await readdir(join(root, folder), { recursive: true });
      return names.filter((name) => wanted.test(name)).map((name) => join(folder, name));
    }),
  );
  return listed.flat().sort();
}
