/** What the log has of a document, and which revision of it a file would be. */
import { type Client, Fault } from "retrace";
import { BadRow } from "./bad-row.ts";
import type { NamedRevision } from "./documents-read.ts";

type RevisionId = number | string;

/** The newest revision of a document. */
interface Newest {
  readonly revision: RevisionId;
  /** SHA-256 of its content, where the log tells it. */
  readonly sha256?: string;
}

/** What is known of a revision when it has been added. */
interface Added {
  readonly sha256: string;
  readonly source: unknown;
  /** Of the stream. */
  readonly version: number;
}

/** The current revision in the state of a document. */
interface Current {
  readonly revision?: RevisionId;
  readonly source?: unknown;
  readonly contentRef?: { readonly sha256?: string };
}

/** A document as the log has it. */
export class KnownDocument {
  readonly #client: Client;
  readonly #id: string;
  /** By revision, the SHA-256 of its content. Read when it is asked for: most imports only add. */
  #contents: Promise<ReadonlyMap<RevisionId, string | undefined>> | undefined;
  /** Of its stream; 0 where there is none. */
  version = 0;
  newest: Newest | undefined;
  /** Where the newest revision comes from. */
  source: unknown;

  private constructor(client: Client, id: string) {
    this.#client = client;
    this.#id = id;
  }

  /** Reads its state. */
  static async read(client: Client, id: string): Promise<KnownDocument> {
    const known = new KnownDocument(client, id);
    const reply = await orNone(client.state("document", id));
    if (reply === undefined) return known;
    const { revision, source, contentRef } = (reply.state.context as { readonly current: Current }).current;
    known.version = reply.version;
    known.source = source;
    const sha256 = contentRef?.sha256;
    if (revision !== undefined) known.newest = { revision, ...(sha256 !== undefined && { sha256 }) };
    return known;
  }

  /** After a revision was added. */
  added(revision: RevisionId, { sha256, source, version }: Added): void {
    this.newest = { revision, sha256 };
    this.source = source;
    this.version = version;
    this.#contents = this.#contents?.then((contents) => new Map(contents).set(revision, sha256));
  }

  /** Whether it is there. @throws BadRow when it is there with other content, or was left out and comes too late. */
  async has(revision: RevisionId, sha256: string): Promise<boolean> {
    const { newest } = this;
    if (newest === undefined || (isNumber(revision) && isNumber(newest.revision) && revision > newest.revision)) {
      return false;
    }
    const contents = await this.#readContents();
    if (contents.has(revision)) {
      if ((contents.get(revision) ?? sha256) === sha256) return true;
      throw new BadRow(`revision ${revision} is there with other content; import under other ids, with --id-prefix`);
    }
    if (!isNumber(revision) || !isNumber(newest.revision)) return false;
    throw new BadRow(
      `revision ${revision} is not there, and comes too late behind revision ${newest.revision}; import under other ids, with --id-prefix`,
    );
  }

  #readContents(): Promise<ReadonlyMap<RevisionId, string | undefined>> {
    this.#contents ??= contentsOf(this.#client, this.#id);
    return this.#contents;
  }
}

/**
 * The revision that a current file is, of which nobody says so: one of the history with the same content, or a new one.
 * @throws BadRow when the one before has a name and no number.
 */
export function revisionOfCurrent(
  sha256: string,
  history: readonly NamedRevision[],
  newest: Newest | undefined,
): Pick<NamedRevision, "revision" | "at" | "commit"> {
  if (newest?.sha256 === sha256) return { revision: newest.revision };
  const listed = history.at(-1)?.revision ?? 0;
  const reached = newest?.revision ?? 0;
  const same = history.findLast((revision) => revision.sha256 === sha256);
  if (same !== undefined && (!isNumber(same.revision) || !isNumber(reached) || same.revision >= reached)) return same;
  if (isNumber(listed) && isNumber(reached)) return { revision: Math.max(listed, reached) + 1 };
  throw new BadRow(
    `it is no revision of the history, and comes after ${newest?.revision ?? listed}, which is no number`,
  );
}

async function contentsOf(client: Client, id: string): Promise<Map<RevisionId, string | undefined>> {
  const contents = new Map<RevisionId, string | undefined>();
  for (let fromVersion: number | null = 1; fromVersion !== null; ) {
    const page = await client.history("document", id, { fromVersion, limit: 1000 });
    for (const { type, data } of page.events) {
      const { revision, contentRef } = data as Current;
      const isRevision = type === "DocumentSubmitted" || type === "DocumentUpdated";
      if (isRevision && revision !== undefined) contents.set(revision, contentRef?.sha256);
    }
    fromVersion = page.next;
  }
  return contents;
}

async function orNone<Reply>(reply: Promise<Reply>): Promise<Reply | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof Fault && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

function isNumber(revision: RevisionId | undefined): revision is number {
  return typeof revision === "number";
}
