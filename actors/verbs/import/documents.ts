/** `retrace import documents`: documents with their revisions, from a manifest or a folder. */
import { type DocumentsOptions, importDocuments } from "./documents-import.ts";
import type { FileImport } from "./files-verb.ts";

/** The kind, for the command line. */
export const documents: FileImport<DocumentsOptions> = {
  name: "documents",
  description: "documents and their revisions: a manifest, or a folder with one or without",
  files:
    "manifests, or folders: with a manifest.json in it, it says what there is; without one, each file is a document",
  notes: `A manifest is JSON: {"source", "commit", "current": [{"path", "file"}], "history": [{"path", "file", "revision", "committed_at",
"commit", "sha256", "bytes"}]}; files are relative to it. A file that is not what it says is bad, one that is not there is left
out. A current file that no revision of the history is becomes a new revision. Contents go into the object store.
Documents are named after the folder and their path.`,
  example: "retrace import documents docs/manifest.json",
  addOptions: (command) => {
    command.option("--no-content", "leave the contents where they are and refer to the files, with their hashes");
  },
  bring: importDocuments,
};
