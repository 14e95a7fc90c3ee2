/** The points of a history that queries are asked as of: a version, a position, a recorded or an occurred time. */
import type { EventStore } from "../../core/event-store.ts";
import { Fault } from "../../core/fault.ts";
import { position, time, version } from "./fields.ts";

/** The fields of a body. At most one may be given: see `isOnePoint`. */
export const pointFields = {
  atVersion: version.optional(),
  atPosition: position.optional(),
  atRecorded: time.optional(),
  atOccurred: time.optional(),
};

/** What a body names with those fields; nothing means now. */
export interface Point {
  readonly atVersion?: number | undefined;
  readonly atPosition?: number | undefined;
  readonly atRecorded?: string | undefined;
  readonly atOccurred?: string | undefined;
}

/** Whether no more than one is given. */
export function isOnePoint({ atVersion, atPosition, atRecorded, atOccurred }: Point): boolean {
  return [atVersion, atPosition, atRecorded, atOccurred].filter((point) => point !== undefined).length <= 1;
}

/** What is wrong where it is not. */
export const notOnePoint = { message: "give at most one of atVersion, atPosition, atRecorded, atOccurred" };

/** Why there is nothing to say of a stream as of a point. */
export function nothingThere(store: EventStore, stream: string): Fault {
  const isThere = store.head(stream).version > 0;
  return new Fault("NOT_FOUND", isThere ? `${stream} has no events at that point` : `there is no ${stream}`, {
    stream,
  });
}

/** The version of a stream at a point; an occurred time has none. */
export function versionAt(store: EventStore, stream: string, point: Point): number {
  const { atVersion = Number.MAX_SAFE_INTEGER, atPosition, atRecorded } = point;
  const position = atRecorded === undefined ? atPosition : store.positionAt(atRecorded);
  if (position !== undefined) return store.versionAt(stream, position);
  return Math.min(atVersion, store.head(stream).version);
}
