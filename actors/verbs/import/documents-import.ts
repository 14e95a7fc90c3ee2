/**
 * Brings documents into the history: of each all revisions in order, with the times at which they were made. The log says
 * which are there, so a second import goes on where the first one ended.
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { type Client, Fault } from "retrace";
import { counted } from "../print/counted.ts";
import { BadRow } from "./bad-row.ts";
import { KnownDocument, revisionOfCurrent } from "./documents-known.ts";
import { type Collection, type NamedDocument, type NamedRevision, readCollection } from "./documents-read.ts";
import type { FileContext, FileOutcome } from "./files-verb.ts";
import { ImportRefused } from "./refused.ts";
import { type Stopped, stopsAll } from "./stop.ts";
import { streamIdOf } from "./stream-ids.ts";

/** What may be chosen. */
export interface DocumentsOptions {
  /** False leaves the contents where they are and refers to the files. Default: true. */
  readonly content?: boolean;
}

const category = "document";

/** Documents on their way side by side. */
const maxSideBySide = 8;

/** Imports a manifest or a folder. @throws ImportRefused, Fault, or Error when it cannot be read. */
export async function importDocuments(
  client: Client,
  path: string,
  context: FileContext<DocumentsOptions>,
): Promise<FileOutcome> {
  const documentsImport = new DocumentsImport(client, context);
  const collection = readCollection(path, documentsImport.tellBad);
  context.onTotal(collection.total);
  context.onDone(documentsImport.counts.bad);
  await documentsImport.bring(collection);
  const { counts, stopped } = documentsImport;
  const { newRevisions, alreadyThere, notHere, bad } = counts;
  const { total, documents } = collection;
  return {
    summary: `${counted(total, "revision")}: ${newRevisions} new, ${alreadyThere} already there, ${notHere} without a file here, ${bad} bad`,
    counts: { documents: documents.length, revisions: total, ...counts },
    bad,
    ...(stopped !== undefined && { stopped }),
  };
}

type Settled = "newRevisions" | "alreadyThere" | "notHere";

/** One import on its way. */
class DocumentsImport {
  readonly #client: Client;
  readonly #context: FileContext<DocumentsOptions>;
  /** Each revision that is named is settled as one of these. */
  readonly counts = { newRevisions: 0, alreadyThere: 0, notHere: 0, bad: 0 };
  stopped: Stopped | undefined;

  constructor(client: Client, context: FileContext<DocumentsOptions>) {
    this.#client = client;
    this.#context = context;
  }

  /** `file` is the manifest, or a document that no manifest names. */
  readonly tellBad = (line: number, reason: string, file: string): void => {
    this.#context.onProblem(line, reason, file);
    this.counts.bad += 1;
  };

  async bring(collection: Collection): Promise<void> {
    const waiting = collection.documents.values();
    const work = async (): Promise<void> => {
      for (const document of waiting) await this.#bringDocument(document, collection);
    };
    await Promise.all(Array.from({ length: maxSideBySide }, work));
  }

  async #bringDocument(document: NamedDocument, collection: Collection): Promise<void> {
    const { idPrefix = collection.dataSet } = this.#context.options;
    const id = streamIdOf(idPrefix, ...document.name.split("/"));
    const { history, current } = document;
    const known = await KnownDocument.read(this.#client, id);
    for (const named of current === undefined ? history : [...history, current]) {
      if (this.#context.isInterrupted()) this.stopped ??= { line: named.line, reason: "interrupted" };
      if (this.stopped !== undefined) return;
      await this.#settle(named, { id, document, collection, known });
      this.#context.onDone(1);
    }
  }

  async #settle(named: NamedRevision, place: Place): Promise<void> {
    const { line } = named;
    try {
      const settled = await this.#bringRevision(named, place);
      this.counts[settled] += 1;
    } catch (error) {
      if (!(error instanceof BadRow || error instanceof Fault)) throw error;
      if (error instanceof Fault && error.details.reason === "SOURCE_CHANGED") throw new ImportRefused(error.message);
      if (error instanceof Fault && stopsAll(error)) this.stopped ??= { line, reason: error.message };
      else this.tellBad(line, error.message, place.collection.manifest?.path ?? named.path);
    }
  }

  async #bringRevision(named: NamedRevision, place: Place): Promise<Settled> {
    const { id, document, collection, known } = place;
    const content = contentOf(named);
    if (content === undefined) return "notHere";
    const sha256 = verified(named, content);
    const { revision, at, commit } =
      named.revision === undefined ? revisionOfCurrent(sha256, document.history, known.newest) : named;
    const source = sourceOf(document, collection, sha256);
    if (known.version > 0) assertSameOrigin(known.source, source);
    if (revision === undefined || (await known.has(revision, sha256))) return "alreadyThere";

    const contentRef = { ...(await this.#store(named, content, sha256)), ...(commit !== undefined && { commit }) };
    const { number: sourceLine } = named;
    const occurredAt = at ?? this.#context.options.occurredAt;
    const data = { revision, contentRef, source, ...(sourceLine !== undefined && { sourceLine }) };
    const type = known.version === 0 ? "SubmitDocument" : "UpdateDocument";
    const reply = await this.#client.send(
      category,
      id,
      { type, data },
      {
        expectedVersion: known.version === 0 ? "no-stream" : known.version,
        correlationId: `import-${collection.manifest?.source.sha256 ?? sha256}`,
        ...(occurredAt !== undefined && { occurredAt }),
      },
    );
    if (reply.events.length === 0) throw new BadRow(`revision ${revision} was left out before, and comes too late`);
    known.added(revision, { sha256, source, version: reply.version });
    return "newRevisions";
  }

  /** Where the content lies from now on. */
  async #store({ file }: NamedRevision, content: Uint8Array, sha256: string) {
    const mediaType = mediaTypes[extname(file).toLowerCase()] ?? "application/octet-stream";
    if (this.#context.options.content === false) {
      return { ref: `file:${file}`, sha256, bytes: content.length, mediaType };
    }
    return this.#client.putObject(content, { mediaType });
  }
}

/** Where a revision belongs. */
interface Place {
  readonly id: string;
  readonly document: NamedDocument;
  readonly collection: Collection;
  readonly known: KnownDocument;
}

/** Undefined where there is no file: a manifest may name more than was taken along. @throws BadRow */
function contentOf({ file, path }: NamedRevision): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new BadRow(`${file} cannot be read: ${message}`);
  }
}

/** The hash of the content. @throws BadRow when the manifest says something else of it. */
function verified({ file, sha256, bytes }: NamedRevision, content: Uint8Array): string {
  const actual = createHash("sha256").update(content).digest("hex");
  if (sha256 !== undefined && sha256.toLowerCase() !== actual) {
    throw new BadRow(`${file} is not what the manifest says: its SHA-256 is ${actual}, and not ${sha256}`);
  }
  if (bytes === undefined || bytes === content.length) return actual;
  throw new BadRow(`${file} is not what the manifest says: it has ${content.length} bytes, and not ${bytes}`);
}

interface Source {
  readonly name: string;
  readonly sha256: string;
  readonly path?: string;
  readonly repository?: string;
}

/** What every event of the document says of where it comes from. */
function sourceOf({ name }: NamedDocument, { manifest }: Collection, sha256: string): Source {
  return manifest === undefined ? { name, sha256 } : { ...manifest.source, path: name };
}

/** @throws BadRow when the document of this id is another one. */
function assertSameOrigin(known: unknown, source: Source): void {
  const { name, path, repository } = (typeof known === "object" && known !== null ? known : {}) as Partial<Source>;
  const isSame = source.path === undefined ? name === source.name : path === source.path;
  if (isSame && repository === source.repository) return;
  throw new BadRow("a document from elsewhere has its id; import under other ids, with --id-prefix");
}

const mediaTypes: Readonly<Record<string, string>> = {
  ".md": "text/markdown",
  ".markdown": "text/markdown",
  ".txt": "text/plain",
  ".rst": "text/x-rst",
  ".html": "text/html",
  ".htm": "text/html",
  ".xml": "application/xml",
  ".json": "application/json",
  ".csv": "text/csv",
  ".tsv": "text/tab-separated-values",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
};
