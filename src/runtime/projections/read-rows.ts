/** Which generation of a projection is read, and up to where it has come. */
import type { EventStore, TableReader } from "../../core/event-store.ts";
import type { Projection } from "../../core/projection.ts";
import type { Definitions } from "./definitions.ts";
import { type CompleteGeneration, followerPosition, readGenerations } from "./generations.ts";

/** What is read with. */
export interface ReadContext {
  readonly store: EventStore;
  readonly definitions: Definitions;
}

/** A generation that can be read. */
export interface ReadableGeneration {
  readonly name: string;
  readonly generation: number;
  /** Of the projection that made it. */
  readonly version: number;
  /** All events up to here are in it. */
  readonly position: number;
  readonly isKeptUp: boolean;
  /** The definition that made it; undefined when the code does not have it any more. */
  readonly maker: Projection | undefined;
}

/** What is read, or what stands by. */
export type Which = "live" | "standby";

/** As the reader sees it now: the store, or the running transaction. Undefined when there is none. */
export function readableGeneration(
  { store, definitions }: ReadContext,
  reader: TableReader,
  { name, which }: { readonly name: string; readonly which: Which },
): ReadableGeneration | undefined {
  const made = readGenerations(reader, name)?.[which] ?? emptyGeneration({ store, definitions }, name, which);
  if (made === undefined) return undefined;
  const { generation, version, frozenAt } = made;
  const isKeptUp = frozenAt === undefined;
  const position = frozenAt ?? (made.mode === "sync" ? store.position() : followerPosition(reader));
  return { name, generation, version, position, isKeptUp, maker: definitions.makerOf(name, made) };
}

/** Before the first event of a log, no rows are all there are. */
function emptyGeneration(
  { store, definitions }: ReadContext,
  name: string,
  which: Which,
): CompleteGeneration | undefined {
  const main = definitions.of(name)?.main;
  if (main === undefined || which === "standby" || store.position() > 0) return undefined;
  return { generation: 0, version: main.version, mode: main.mode };
}
