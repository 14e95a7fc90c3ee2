/** Ids of sagas' instances, made of names that people choose: the same names give the same id, other names another. */
import { digest } from "retrace";

/** Of an id, as in subjects and stream names. */
const maxLength = 128;
const allowed = /^[A-Za-z0-9_~-]*$/;
/** Of what cannot be used as it is, so much stays readable. */
const keptLength = 80;

/** Whether something names an aggregate of this runtime; names of other systems may have any characters. */
export function isInstanceId(id: unknown): id is string {
  return typeof id === "string" && id.length > 0 && id.length <= maxLength && allowed.test(id);
}

/** The parts with `~` between them; a digest stands for what has other characters, or is too long. */
export function instanceId(...parts: readonly (string | number)[]): string {
  const plain = parts.join("~");
  const isUnambiguous = parts.every((part, i) => i === 0 || !String(part).includes("~"));
  if (isUnambiguous && allowed.test(plain) && plain.length <= maxLength) return plain;
  const readable = plain.replace(/[^A-Za-z0-9_~-]+/g, "-").slice(0, keptLength);
  // What has a digest has a different shape from what has none: two tildes never begin a part.
  return `${readable}~~${digest(JSON.stringify(parts)).toString(36)}`;
}

/** The id itself where it leaves room for `reserved` more characters; otherwise its beginning and a digest of it. */
export function shortened(id: string, reserved: number): string {
  const room = maxLength - reserved;
  if (id.length <= room) return id;
  const mark = `~${digest(JSON.stringify(id)).toString(36)}`;
  return id.slice(0, room - mark.length) + mark;
}
