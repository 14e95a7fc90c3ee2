/** Ids of saga instances, made from ids that may leave no room for what is added to them. */
import { digestOf } from "./digest.ts";

/** Of an id, as in subjects and stream names. */
const maxLength = 128;
const fits = /^[A-Za-z0-9_~-]+$/;

/** Whether something names an aggregate of this runtime; names of other systems may have any characters. */
export function isInstanceId(id: unknown): id is string {
  return typeof id === "string" && id.length <= maxLength && fits.test(id);
}

/** The id itself where it leaves room for `reserved` more characters; otherwise its beginning and a digest of it. */
export function shortened(id: string, reserved: number): string {
  const room = maxLength - reserved;
  if (id.length <= room) return id;
  const mark = `~${digestOf(id).toString(36)}`;
  return id.slice(0, room - mark.length) + mark;
}
