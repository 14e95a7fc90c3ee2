/** The subjects of PROTOCOL.md, under one prefix. */
import { isStreamId } from "../core/stream.ts";

export const defaultPrefix = "retrace";

/** Whether `text` can be a subject prefix: one token of letters, digits, `_` and `-`, at most 32 characters. */
export function isPrefix(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,32}$/.test(text);
}

/** What a command's subject names. */
export interface CommandAddress {
  readonly category: string;
  readonly id: string;
  readonly type: string;
}

/** `<prefix>.cmd.<category>.<id>.<CommandType>` */
export function commandSubject(prefix: string, { category, id, type }: CommandAddress): string {
  return `${prefix}.cmd.${category}.${id}.${type}`;
}

/** Reads `<prefix>.cmd.<category>.<id>.<Type>`; undefined when it has another shape or a malformed id. */
export function parseCommandSubject(prefix: string, subject: string): CommandAddress | undefined {
  const parts = subject.slice(prefix.length + ".cmd.".length).split(".");
  if (parts.length !== 3) return undefined;
  const [category, id, type] = parts as [string, string, string];
  return isStreamId(id) ? { category, id, type } : undefined;
}

/** `<prefix>.bulk` */
export function bulkSubject(prefix: string): string {
  return `${prefix}.bulk`;
}

/** `<prefix>.evt.<category>.<id>.<EventType>` */
export function eventSubject(prefix: string, category: string, id: string, type: string): string {
  return `${prefix}.evt.${category}.${id}.${type}`;
}

/** `<prefix>.qry.<name>` */
export function querySubject(prefix: string, name: string): string {
  return `${prefix}.qry.${name}`;
}

/** `<prefix>.adm.<verb>` */
export function adminSubject(prefix: string, verb: string): string {
  return `${prefix}.adm.${verb}`;
}

/** The JetStream stream that carries the events of one prefix. */
export function eventStreamName(prefix: string): string {
  return `${prefix.toUpperCase()}_EVENTS`;
}

/** The bucket of the broker's object store that carries the large things of one prefix. */
export function objectBucket(prefix: string): string {
  return `${prefix.toUpperCase()}_OBJECTS`;
}
