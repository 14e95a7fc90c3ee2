/**
 * Which generations of a projection's rows there are, as the store keeps it. A projection is built as a generation of
 * its own and becomes the live one in a single write, so nobody ever reads a half of one.
 */
import type { Key, TableReader, Transaction } from "../../core/event-store.ts";
import type { ProjectionMode } from "../../core/projection.ts";

/** What the rows of a generation were made by. */
export interface Made {
  /** From 1, never used twice for a name. */
  readonly generation: number;
  /** Of the projection. */
  readonly version: number;
  readonly mode: ProjectionMode;
}

/** A generation that is complete, and kept up with the log. */
export interface CompleteGeneration extends Made {
  /**
   * Events after this position were not applied, because a process appended or followed them that does not have the
   * projection in this version. Undefined as long as none is missing.
   */
  readonly frozenAt?: number;
}

/** A generation on its way. */
export interface BuildingGeneration extends Made {
  /** All events up to here are in its rows. */
  readonly position: number;
  /** Who builds it: whoever takes a build over puts a new id, and the one before finds out. */
  readonly builder: string;
  /** To be kept up beside the live one when it is complete, until somebody switches. */
  readonly isHeld: boolean;
}

/** All there is of one projection. */
export interface Generations {
  /** What is read. */
  readonly live?: CompleteGeneration;
  /** What can be read in its place at once. */
  readonly standby?: CompleteGeneration;
  readonly building?: BuildingGeneration;
  /** The highest generation ever begun. */
  readonly last: number;
}

/** The last position that the follower of the log has committed: up to here async projections are. */
export const followerCheckpoint: Key = ["react"];

/** Changes whenever any generation does, so that what is known of them can be kept meanwhile. */
const epochKey: Key = ["projections"];
const place = "projection";

/** Compared only: a new text with every change. */
export function readEpoch(reader: TableReader): unknown {
  return reader.get("checkpoints", epochKey);
}

/** Of one projection; undefined where none was ever begun. */
export function readGenerations(reader: TableReader, name: string): Generations | undefined {
  return reader.get("checkpoints", [place, name]) as Generations | undefined;
}

/** Of all projections that the store knows, also those that are not defined any more. */
export function readAllGenerations(reader: TableReader): Map<string, Generations> {
  const all = new Map<string, Generations>();
  for (const { key, value } of reader.scan("checkpoints", { prefix: [place] })) {
    all.set(key[1] as string, value as Generations);
  }
  return all;
}

/** Writes those of one projection; `epoch` is a new id. */
export function writeGenerations(tx: Transaction, name: string, changed: Generations, epoch: string): void {
  tx.put("checkpoints", [place, name], changed);
  tx.put("checkpoints", epochKey, epoch);
}

/** Writes how far a build is: that changes nothing for anybody else. */
export function writeProgress(tx: Transaction, name: string, changed: Generations): void {
  tx.put("checkpoints", [place, name], changed);
}

/** Changes with every write to the rows of a mode that are kept up: what is known of them can be kept as long as it stays. */
const stampKey = (mode: ProjectionMode): Key => ["projection-rows", mode];

/** Compared only. */
export function readStamp(reader: TableReader, mode: ProjectionMode): unknown {
  return reader.get("checkpoints", stampKey(mode));
}

/** `stamp` must never have been there before. */
export function writeStamp(tx: Transaction, mode: ProjectionMode, stamp: string): void {
  tx.put("checkpoints", stampKey(mode), stamp);
}

/** What is behind the follower, in position order; 0 when it has not begun. */
export function followerPosition(reader: TableReader): number {
  return (reader.get("checkpoints", followerCheckpoint) as number | undefined) ?? 0;
}

/** Everything of a generation lies under this key of the table `rows`. */
export function generationKey(name: string, generation: number): Key {
  return [name, generation];
}

/** Rows are shown; notes are what the handlers remember beside them. */
export type RowKind = "row" | "note";

/** The rows as they are: behind it, a row's key. */
export function rowPrefix(name: string, generation: number, kind: RowKind = "row"): Key {
  return [name, generation, kind];
}

/** What is kept of rows for the past: behind it, a row's key and the span before which it was so. */
export function keptPrefix(name: string, generation: number, kind: RowKind): Key {
  return [name, generation, kind === "row" ? "kept" : "kept-note"];
}

/** What is found by the value of a field: behind it, the number of the index, the value and a row's key. */
export function indexPrefix(name: string, generation: number): Key {
  return [name, generation, "index"];
}

/** Events that their handlers could not take: behind it, their positions. */
export function parkedPrefix(name: string, generation: number): Key {
  return [name, generation, "parked"];
}

/** Where the number of those is kept. */
export function parkedCountKey(name: string, generation: number): Key {
  return [name, generation, "parked-count"];
}

/** Sorts behind every other part of a key. */
export const behindText = "\u{10ffff}\u{10ffff}";
