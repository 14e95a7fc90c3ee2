/**
 * Where the events of each stream lie in the log.
 *
 * An index entry for every event would dirty one page for every stream that a commit touches, which costs more than
 * all else. So each record points back to the one before it in its stream, and only every 64th version has an entry:
 * reading begins at an entry, or at the head, and goes back at most 64 records.
 */
import type { Database, RootDatabase } from "lmdb";
import type { Head } from "../core/event-store.ts";
import type { RecordedEvent } from "../core/message.ts";
import type { LmdbKey } from "./lmdb-tables.ts";
import type { LinkedEvent } from "./record.ts";

const blockSize = 64;
const maxKnownHeads = 100_000;

/** Heads, and entries at the ends of blocks. */
export class StreamIndex {
  /** stream -> [version, position] */
  readonly #heads: Database<[number, number], string>;
  /** [stream, version that ends a block] -> position */
  readonly #blocks: Database<number, LmdbKey>;
  readonly #read: (position: number) => LinkedEvent;
  /** Heads that this process has written or read in transactions, true as long as no other process appends. */
  readonly #known = new Map<string, Head>();

  constructor(env: RootDatabase, read: (position: number) => LinkedEvent) {
    const ordered = { encoding: "ordered-binary", cache: false } as const;
    this.#heads = env.openDB("heads", ordered);
    this.#blocks = env.openDB("streams", ordered);
    this.#read = read;
  }

  head(stream: string): Head {
    const head = this.#heads.get(stream);
    return head === undefined ? { version: 0, position: 0 } : { version: head[0], position: head[1] };
  }

  /** The head as the running transaction sees it: every command asks, so it is worth remembering. */
  headInTransaction(stream: string): Head {
    const known = this.#known.get(stream);
    if (known !== undefined) return known;
    const head = this.head(stream);
    this.#remember(stream, head);
    return head;
  }

  /** Another process has appended, or a transaction was undone: what was remembered may be wrong. */
  forgetHeads(): void {
    this.#known.clear();
  }

  #remember(stream: string, head: Head): void {
    if (this.#known.size >= maxKnownHeads) this.#known.clear();
    this.#known.set(stream, head);
  }

  /** Notes one appended event; the head is set once for all of a stream, by `setHead`. */
  add(stream: string, version: number, position: number): void {
    if (version % blockSize === 0) this.#blocks.put([stream, version], position);
  }

  setHead(stream: string, head: Head): void {
    this.#heads.put(stream, [head.version, head.position]);
    this.#remember(stream, head);
  }

  /** The events of a stream from one version to another, both inclusive, in order. */
  *events(stream: string, fromVersion: number, toVersion: number): Iterable<RecordedEvent> {
    const head = this.head(stream);
    const last = Math.min(toVersion, head.version);
    for (let from = Math.max(1, fromVersion); from <= last; ) {
      const end = Math.min(last, endOfBlock(from));
      yield* this.#block(stream, head, from, end);
      from = end + 1;
    }
  }

  /** Versions of one block, found by going back from its end. */
  #block(stream: string, head: Head, fromVersion: number, toVersion: number): RecordedEvent[] {
    const end = endOfBlock(fromVersion);
    let position = end > head.version ? head.position : (this.#blocks.get([stream, end]) as number);
    const events: RecordedEvent[] = [];
    while (position > 0) {
      const { event, previous } = this.#read(position);
      if (event.version < fromVersion) break;
      if (event.version <= toVersion) events.push(event);
      position = previous;
    }
    return events.reverse();
  }

  /** The last version of a stream at or before a position of the log; 0 when there is none. */
  versionAt(stream: string, position: number): number {
    const head = this.head(stream);
    if (head.position <= position) return head.version;
    let low = 0;
    let high = Math.floor(head.version / blockSize);
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const at = this.#blocks.get([stream, middle * blockSize]) as number;
      if (at <= position) low = middle;
      else high = middle - 1;
    }
    const from = low * blockSize + 1;
    const block = this.#block(stream, head, from, Math.min(head.version, endOfBlock(from)));
    return block.findLast((event) => event.position <= position)?.version ?? low * blockSize;
  }
}

function endOfBlock(version: number): number {
  return Math.ceil(version / blockSize) * blockSize;
}
