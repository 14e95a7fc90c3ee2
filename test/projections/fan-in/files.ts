/** All real files, and which import takes which of them. Where they are absent, what needs them is skipped. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = process.env.RETRACE_SHARED_DATA ?? fileURLToPath(new URL("../../../../shared/data", import.meta.url));

/** Why tests against the files are skipped; undefined when they are there. */
export const absentFiles: string | undefined = existsSync(folder)
  ? undefined
  : `no real files at ${folder} (set RETRACE_SHARED_DATA)`;
if (absentFiles !== undefined) console.warn(`skipped: ${absentFiles}`);

/** When everything happened that does not say so itself: long ago, so that no saga takes it for news. */
export const importedAt = "2025-03-03T03:03:03.003Z";

/** One `retrace import <kind> ...`. */
export interface Import {
  readonly kind: string;
  /** Relative to the folder. */
  readonly files: readonly string[];
  readonly options: readonly string[];
  /** Of each table one row in so many, the first among them. Default: all. */
  readonly oneIn?: number;
}

const at = ["--occurred-at", importedAt];

/** Everything; each file is taken by one of them, read along by one of them, or has a reason below. */
export const allImports: readonly Import[] =
  absentFiles !== undefined
    ? []
    : [
        { kind: "training-log", files: filesIn("training-logs", /\.(?:txt|log|csv)$/), options: [] },
        { kind: "predictions", files: filesIn("predictions", /./), options: at },
        { kind: "corrections", files: filesIn("corrections", /\.labels\.tsv$/), options: at },
        { kind: "documents", files: ["documents/manifest.json"], options: at },
        { kind: "agent-sessions", files: filesIn("agent-sessions", /./), options: at },
        { kind: "preferences", files: filesIn("preferences", /./), options: at },
        { kind: "ratings", files: filesIn("ratings", /./), options: at },
        {
          kind: "crowd-labels",
          files: filesIn("crowd-labels", /\.labels\.tsv$/),
          options: [...at, "--close", "majority"],
        },
      ];

/** As much as a test has time for: the smaller crowds, and a fifth of the two longest tables. */
export const someImports: readonly Import[] = allImports.map((one) => {
  const files = one.files.filter((file) => !file.includes("hitspam_mturk"));
  return one.kind === "predictions" || one.kind === "ratings" ? { ...one, oneIn: 5 } : { ...one, files };
});

/** Why a file is no argument of an import. */
const readAlong: readonly (readonly [RegExp, string])[] = [
  [/^README\.md$/, "describes the files"],
  [
    /^reference_results\.json$/,
    "results that others computed of the crowd sets: what is compared with, and no history",
  ],
  [/^training-logs\/.*\/manifest\.json$/, "read along with the logs beside it: the versions of their code"],
  [/^training-logs\/.*\.(?:flags|meta_data)_\d+\.json$/, "read along with the measurements beside it"],
  [/^(?:crowd-labels|corrections)\/.*\.gold\.tsv$/, "read along with the labels beside it"],
  [/^documents\/(?:current|history)\//, "read along with the manifest that names it"],
];

/** Files that nothing takes and nothing explains. */
export function unexplainedFiles(): string[] {
  const taken = new Set(allImports.flatMap(({ files }) => files));
  return filesIn("", /./).filter((file) => !taken.has(file) && !readAlong.some(([pattern]) => pattern.test(file)));
}

/** The files of a kind that are imported. */
export function filesOf(imports: readonly Import[], kind: string): readonly string[] {
  return imports.filter((one) => one.kind === kind).flatMap(({ files }) => files);
}

/** The tables of a kind that are imported, as far as they are. */
export function tablesOf(imports: readonly Import[], kind: string): Record<string, string>[][] {
  return imports
    .filter((one) => one.kind === kind)
    .flatMap(({ files, oneIn = 1 }) => files.map((file) => tableIn(file).filter((_, i) => i % oneIn === 0)));
}

/** The header of a table, and one row in so many. */
export function sampleOf(file: string, oneIn: number): string {
  const [header, ...lines] = textOf(file).replace(/\n$/, "").split("\n");
  return `${[header, ...lines.filter((_, i) => i % oneIn === 0)].join("\n")}\n`;
}

/** The path of a file. */
export function pathOf(file: string): string {
  return join(folder, file);
}

/** The content of a file. */
export function textOf(file: string): string {
  return readFileSync(pathOf(file), "utf8");
}

/** Whether there is such a file. */
export function isThere(file: string): boolean {
  return existsSync(pathOf(file));
}

/** The lines of a table behind its header, their cells by name. */
export function tableIn(file: string, separator = "\t"): Record<string, string>[] {
  const [header = "", ...lines] = textOf(file).replace(/\n$/, "").split("\n");
  const names = header.split(separator);
  return lines.map((line) => {
    const cells = line.replace(/\r$/, "").split(separator);
    return Object.fromEntries(names.map((name, i) => [name, cells[i] ?? ""]));
  });
}

/** The name of a file without its last extension, as it stands in ids. */
export function plainName(file: string): string {
  return basename(file)
    .replace(/\.[^.]*$/, "")
    .replaceAll(".", "-");
}

function filesIn(path: string, pattern: RegExp): string[] {
  return readdirSync(join(folder, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((file) => pattern.test(file))
    .sort();
}
