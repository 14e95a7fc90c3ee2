/** Documents and their revisions, as the manifest and the files beside it say. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Fields } from "../fan-in.ts";
import { assertSameNames, type Check, rowsOf } from "./counting.ts";
import { filesOf, type Import, importedAt, isThere, textOf } from "./files.ts";

interface Entry {
  readonly path: string;
  readonly file: string;
  readonly sha256: string;
  readonly revision: number;
  readonly committed_at: string;
}

/** A document: its revisions, and when they were made. */
export type Revisions = ReadonlyMap<number, string>;

/** By path. A current file is the revision of its content, or the first where nothing is known of it. */
export function documentsIn(imports: readonly Import[]): Map<string, Revisions> {
  const documents = new Map<string, Map<number, string>>();
  for (const manifest of filesOf(imports, "documents")) {
    const { current, history } = JSON.parse(textOf(manifest)) as Record<"current" | "history", readonly Entry[]>;
    const beside = ({ file }: Entry) => manifest.replace(/[^/]*$/, file);
    const put = (path: string, revision: number, at: string): void => {
      documents.set(path, (documents.get(path) ?? new Map<number, string>()).set(revision, new Date(at).toISOString()));
    };
    for (const entry of history) if (isThere(beside(entry))) put(entry.path, entry.revision, entry.committed_at);
    for (const entry of current) {
      if (!isThere(beside(entry))) continue;
      const sha256 = createHash("sha256")
        .update(textOf(beside(entry)))
        .digest("hex");
      const listed = history.find((one) => one.path === entry.path && one.sha256 === sha256);
      if (listed === undefined) put(entry.path, 1, importedAt);
      else put(entry.path, listed.revision, listed.committed_at);
    }
  }
  return documents;
}

/** Every document at its newest revision, and nobody has looked at it yet. */
export const documentStatus: Check = (fanIn) => {
  const documents = documentsIn(fanIn.imports);
  const rows = new Map([...rowsOf(fanIn, "document-status").values()].map((row) => [(row.source as Fields).path, row]));
  assert.equal(rows.size, rowsOf(fanIn, "document-status").size);
  assertSameNames([...rows.keys()].map(String), documents.keys(), "documents");
  for (const [path, revisions] of documents) {
    const { step, revision, updatedAt, submittedAt, pipelines, failures } = rows.get(path) as Fields;
    const newest = Math.max(...revisions.keys());
    assert.deepEqual([path, revision, updatedAt], [path, newest, revisions.get(newest)]);
    assert.deepEqual([step, pipelines, failures], ["submitted", {}, []], path);
    assert.equal(submittedAt, revisions.get(Math.min(...revisions.keys())), path);
  }
};

/** Files are not cut into chunks by being imported, so no pipeline serves any. */
export const documentPipelines: Check = (fanIn) => {
  assert.deepEqual([...rowsOf(fanIn, "document-pipelines")], []);
};
