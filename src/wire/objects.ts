/**
 * Large things: in the broker's object store, named by the SHA-256 of what they contain. Commands and events carry the
 * reference. They lie in JetStream alone: what is lost there is not in the log.
 */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { JetStreamApiCodes, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { type ObjectInfo, type ObjectStore, Objm } from "@nats-io/obj";
import { Fault } from "../core/fault.ts";
import { isApiError } from "./own-stream.ts";
import { objectBucket } from "./subjects.ts";
import { ulids } from "./ulid.ts";

/** What can be put: bytes, text, or a stream of bytes such as a file's. */
export type ObjectData = Uint8Array | string | AsyncIterable<Uint8Array>;

/** Where a large thing lies, and what proves that it is still the same. */
export interface ObjectReference {
  /** `nats-object:<bucket>/<name>` */
  readonly ref: string;
  /** Lowercase hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
  readonly mediaType?: string;
}

/** What reading needs of a reference, as events carry it. */
export interface StoredObject {
  readonly ref: string;
  readonly sha256?: string | undefined;
}

/** How to read. */
export interface ReadOptions {
  /** For each piece of 128 KiB. Default: 10,000. */
  readonly timeoutMs?: number;
}

const scheme = "nats-object:";
const newName = ulids(Date.now);

/** The object store of one prefix. */
export class Objects {
  readonly #nats: NatsConnection;
  readonly #bucket: string;
  #opened: Promise<ObjectStore> | undefined;

  constructor(nats: NatsConnection, prefix: string) {
    this.#nats = nats;
    this.#bucket = objectBucket(prefix);
  }

  /** Made when it is first needed. */
  #store(): Promise<ObjectStore> {
    this.#opened ??= new Objm(this.#nats).create(this.#bucket);
    this.#opened.catch(() => {
      this.#opened = undefined;
    });
    return this.#opened;
  }

  async put(data: ObjectData, { mediaType }: { readonly mediaType?: string } = {}): Promise<ObjectReference> {
    const store = await this.#store();
    const hash = createHash("sha256");
    let bytes = 0;
    // What it contains is known when all of it has been sent: until then it has a name of its own.
    const staged = await store.put(
      { name: `staged-${newName()}` },
      streamOf(data, (chunk) => {
        hash.update(chunk);
        bytes += chunk.length;
      }),
    );
    const sha256 = hash.digest("hex");
    const known = await store.info(sha256);
    const isFirst = (known === null || known.deleted) && (await this.#rename(staged, sha256, known?.revision ?? 0));
    await this.#discard(staged, isFirst ? "name" : "name and chunks");
    const ref = `${scheme}${this.#bucket}/${sha256}`;
    return { ref, sha256, bytes, ...(mediaType === undefined ? {} : { mediaType }) };
  }

  async get(reference: StoredObject, options?: ReadOptions): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.read(reference, options)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async *read(
    { ref, sha256 }: StoredObject,
    { timeoutMs = 10_000 }: ReadOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const name = this.#nameOf(ref);
    const store = await this.#store();
    const found = await store.get(name);
    if (found === null) throw new Fault("NOT_FOUND", `there is no object ${ref}`, { ref });
    const hash = createHash("sha256");
    try {
      for await (const chunk of withinTime(found.data, timeoutMs)) {
        hash.update(chunk);
        yield chunk;
      }
    } catch (error) {
      throw damaged(ref, (error as Error).message, {}, error);
    }
    const actual = hash.digest("hex");
    const expected = sha256 ?? name;
    if (actual !== expected) throw damaged(ref, `its SHA-256 is ${actual}`, { expected, actual });
  }

  /**
   * Gives what is staged a second name, unless somebody has written that name since `revision`: of several that put the
   * same bytes at once, one is kept. The library's own renaming would let each overwrite, or refuse, the others.
   */
  async #rename({ name: staged }: ObjectInfo, name: string, revision: number): Promise<boolean> {
    const manager = await jetstreamManager(this.#nats, { checkAPI: false });
    const found = await manager.streams.getMessage(this.#stream, { last_by_subj: this.#nameSubject(staged) });
    if (found === null) throw new Error(`what was staged as ${staged} is gone`);
    const renamed = JSON.stringify({ ...found.json<object>(), name });
    try {
      const expect = { lastSubjectSequence: revision };
      await manager.jetstream().publish(this.#nameSubject(name), renamed, { expect });
      return true;
    } catch (error) {
      if (isApiError(error, JetStreamApiCodes.StreamWrongLastSequence)) return false;
      throw error;
    }
  }

  /** Leaves nothing, not even a mark of its deletion. */
  async #discard({ name, nuid }: ObjectInfo, what: "name" | "name and chunks"): Promise<void> {
    const { streams } = await jetstreamManager(this.#nats, { checkAPI: false });
    await streams.purge(this.#stream, { filter: this.#nameSubject(name) });
    if (what === "name and chunks") await streams.purge(this.#stream, { filter: `$O.${this.#bucket}.C.${nuid}` });
  }

  get #stream(): string {
    return `OBJ_${this.#bucket}`;
  }

  /** Where the bucket says what lies under a name, after NATS ADR-20. */
  #nameSubject(name: string): string {
    const encoded = Buffer.from(name).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
    return `$O.${this.#bucket}.M.${encoded}`;
  }

  #nameOf(ref: string): string {
    const start = `${scheme}${this.#bucket}/`;
    if (ref.startsWith(start)) return ref.slice(start.length);
    throw new Fault(
      "NOT_FOUND",
      `${ref} does not lie in the object store ${this.#bucket}: its owner knows how to read it`,
      {
        ref,
      },
    );
  }
}

function damaged(ref: string, why: string, details: Readonly<Record<string, unknown>>, cause?: unknown): Fault {
  return new Fault("OBJECT_DAMAGED", `${ref} is not what its reference says: ${why}`, { ref, ...details }, cause);
}

/** Where pieces are lost the broker sends nothing, for ever. */
async function* withinTime<Chunk>(chunks: ReadableStream<Chunk>, ms: number): AsyncGenerator<Chunk, void, undefined> {
  const reader = chunks.getReader();
  try {
    while (true) {
      const timeout = new AbortController();
      const late = delay(ms, "late" as const, { signal: timeout.signal }).catch(() => "late" as const);
      const next = await Promise.race([reader.read(), late]);
      timeout.abort();
      if (next === "late") throw new Error(`a piece of it did not come within ${ms} ms`);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function* chunksOf(data: ObjectData): AsyncGenerator<Uint8Array, void, undefined> {
  if (typeof data === "string") yield Buffer.from(data);
  else if (data instanceof Uint8Array) yield data;
  else yield* data;
}

function streamOf(data: ObjectData, seen: (chunk: Uint8Array) => void): ReadableStream<Uint8Array> {
  const chunks = chunksOf(data);
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { done, value } = await chunks.next();
      if (done === true) {
        controller.close();
        return;
      }
      seen(value);
      controller.enqueue(value);
    },
    cancel: async () => {
      await chunks.return();
    },
  });
}
