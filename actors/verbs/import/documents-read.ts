/** Finds out which documents a manifest or a folder names, with their revisions in the order in which they came. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { BadRow } from "./bad-row.ts";
import { countIn, requiredText, textIn, timeIn } from "./columns.ts";
import type { Fields } from "./read-rows.ts";
import { ImportRefused } from "./refused.ts";
import { linesOfRootLists } from "./root-lists.ts";
import { readText, sourceOf } from "./text-file.ts";

/** One revision, as it is named; whether its file is there is seen when it is read. */
export interface NamedRevision {
  /** Of the manifest; 1 where there is none. */
  readonly line: number;
  /** The number of the revision among all that the manifest gives, in the order of import. */
  readonly number?: number;
  /** Relative to the folder. */
  readonly file: string;
  readonly path: string;
  /** Absent of a current file, whose revision the manifest does not tell. */
  readonly revision?: number | string;
  /** ISO 8601. */
  readonly at?: string;
  readonly commit?: string;
  readonly sha256?: string;
  readonly bytes?: number;
}

/** A document and its revisions: those of the history, then the current one. */
export interface NamedDocument {
  /** As the collection calls it: a path. */
  readonly name: string;
  readonly history: readonly NamedRevision[];
  readonly current?: NamedRevision;
}

/** What one command line argument names. */
export interface Collection {
  /** What the ids of the documents begin with. */
  readonly dataSet: string;
  readonly documents: readonly NamedDocument[];
  /** How many revisions are named, the bad ones included. */
  readonly total: number;
  /** Where all of it comes from; in a folder without a manifest each file stands for itself. */
  readonly manifest?: { readonly path: string; readonly source: ManifestSource };
}

/** Told what is not imported. */
type OnProblem = (line: number, reason: string, file: string) => void;

/** What every event of a document says of the manifest. */
export interface ManifestSource {
  readonly name: string;
  readonly sha256: string;
  readonly repository?: string;
  readonly license?: string;
}

/** @throws ImportRefused when there is no manifest in it that can be read, Error when there is nothing at the path. */
export function readCollection(path: string, onProblem: OnProblem): Collection {
  const isFolder = statSync(path).isDirectory();
  const manifest = isFolder ? join(path, "manifest.json") : path;
  const folder = isFolder ? path : dirname(path);
  const dataSet = basename(resolve(folder)).replace(/[^A-Za-z0-9_-]/g, "-") || "documents";
  if (!existsSync(manifest)) return { dataSet, ...readFolder(folder) };
  return { dataSet, ...readManifest(manifest, folder, onProblem) };
}

function readFolder(folder: string): Pick<Collection, "documents" | "total"> {
  const documents = filesBelow(folder).map((file): NamedDocument => {
    const name = file.split(sep).join("/");
    return { name, history: [], current: { line: 1, file: name, path: join(folder, file) } };
  });
  return { documents, total: documents.length };
}

/** Relative to the folder, sorted; hidden ones and installed packages are nobody's documents. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((file) => file.split(sep).every((name) => !name.startsWith(".") && name !== "node_modules"))
    .sort();
}

function readManifest(path: string, folder: string, onProblem: OnProblem): Omit<Collection, "dataSet"> {
  const text = [...readText(path)].join("");
  const root = parse(text);
  const lines = linesOfRootLists(text);
  const entriesOf = (list: "history" | "current"): NamedEntry[] => {
    const entries = Array.isArray(root[list]) ? (root[list] as unknown[]) : [];
    return entries.flatMap((entry, index) => {
      const line = lines[list]?.[index] ?? 1;
      try {
        return readEntry(entry, { folder, line, isCurrent: list === "current" });
      } catch (error) {
        if (!(error instanceof BadRow)) throw error;
        onProblem(line, error.message, path);
        return [];
      }
    });
  };
  if (!Array.isArray(root.history) && !Array.isArray(root.current)) {
    throw new ImportRefused(`${basename(path)} has neither a list "history" nor a list "current"`);
  }
  return {
    documents: numbered(documentsOf(entriesOf("current"), entriesOf("history"))),
    total: (lines.history?.length ?? 0) + (lines.current?.length ?? 0),
    manifest: { path, source: manifestSource(root, path) },
  };
}

function parse(text: string): Fields {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    throw new ImportRefused(`it is not readable as JSON: ${(error as Error).message}`);
  }
  if (typeof root !== "object" || root === null || Array.isArray(root)) throw new ImportRefused("it is no JSON object");
  return root as Fields;
}

/** Manifests that were made of one another share a name: the commit that they are of tells them apart. */
function manifestSource(root: Fields, path: string): ManifestSource {
  const commit = typeof root.commit === "string" ? `@${root.commit.slice(0, 12)}` : "";
  const { name, sha256 } = sourceOf(path).source;
  return {
    name: `${name}${commit}`,
    sha256,
    ...(typeof root.source === "string" && { repository: root.source }),
    ...(typeof root.license === "string" && { license: root.license }),
  };
}

interface NamedEntry {
  readonly name: string;
  readonly revision: NamedRevision;
}

interface EntryPlace {
  readonly folder: string;
  readonly line: number;
  readonly isCurrent: boolean;
}

/** @throws BadRow */
function readEntry(entry: unknown, { folder, line, isCurrent }: EntryPlace): NamedEntry {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) throw new BadRow("not a JSON object");
  const fields = entry as Fields;
  const name = requiredText(fields, ["path"]);
  const file = requiredText(fields, ["file"]);
  const path = resolve(folder, file);
  if (!path.startsWith(resolve(folder) + sep)) throw new BadRow(`${file} lies outside the folder of the manifest`);
  const revision = isCurrent ? undefined : revisionIn(fields);
  const at = timeIn(fields, ["committed_at", "date"]);
  const commit = textIn(fields, ["commit"]);
  const sha256 = textIn(fields, ["sha256"]);
  const bytes = countIn(fields, ["bytes"]);
  return {
    name,
    revision: {
      line,
      file,
      path,
      ...(revision !== undefined && { revision }),
      ...(at !== undefined && { at }),
      ...(commit !== undefined && { commit }),
      ...(sha256 !== undefined && { sha256 }),
      ...(bytes !== undefined && { bytes }),
    },
  };
}

function revisionIn(fields: Fields): number | string {
  const { revision } = fields;
  if (typeof revision === "string" && revision !== "") return revision;
  if (typeof revision === "number" && Number.isSafeInteger(revision) && revision >= 0) return revision;
  throw new BadRow(revision === undefined ? "no revision" : `no revision: ${JSON.stringify(revision)}`);
}

/** As they first come in the manifest, current files first. */
function documentsOf(current: readonly NamedEntry[], history: readonly NamedEntry[]): NamedDocument[] {
  const now = new Map(current.map(({ name, revision }) => [name, revision]));
  const before = new Map<string, NamedRevision[]>();
  for (const { name, revision } of history) before.set(name, [...(before.get(name) ?? []), revision]);
  return [...new Set([...now.keys(), ...before.keys()])].map((name) => {
    const currently = now.get(name);
    return { name, history: inOrder(before.get(name) ?? []), ...(currently !== undefined && { current: currently }) };
  });
}

/** By their numbers, because logs of a repository begin with the newest; names stand in the order of the manifest. */
function inOrder(revisions: readonly NamedRevision[]): NamedRevision[] {
  const isCounted = revisions.every(({ revision }) => typeof revision === "number");
  return isCounted ? revisions.toSorted((a, b) => Number(a.revision) - Number(b.revision)) : [...revisions];
}

function numbered(documents: readonly NamedDocument[]): NamedDocument[] {
  let number = 0;
  const next = (revision: NamedRevision): NamedRevision => {
    number += 1;
    return { ...revision, number };
  };
  return documents.map(({ current, ...document }) => ({
    ...document,
    history: document.history.map(next),
    ...(current !== undefined && { current: next(current) }),
  }));
}
