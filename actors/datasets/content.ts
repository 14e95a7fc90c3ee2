/** Prompts and answers as datasets have them: a text, or a list of messages. */
import { canonicalJson } from "../canonical-json.ts";

/** One turn of a conversation: `role` and `content` first, then whatever else it has, sorted. */
export interface Message {
  readonly role: string;
  readonly [field: string]: unknown;
}

/** A text, or a conversation of at least one message. */
export type Content = string | readonly Message[];

/** What was logged as content: texts and messages as they are, anything else as JSON. Null and undefined are none. */
export function contentOf(value: unknown): Content | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  if (isMessage(value)) return [orderly(value)];
  if (Array.isArray(value) && value.length > 0 && value.every(isMessage)) return value.map(orderly);
  return canonicalJson(value);
}

/** As messages; a text becomes one of this role. */
export function asMessages(content: Content, role: "user" | "assistant"): readonly Message[] {
  return typeof content === "string" ? [{ role, content }] : content;
}

/** As a text; undefined for a conversation that is more than one message of this role with a text. */
export function asText(content: Content, role: "user" | "assistant"): string | undefined {
  if (typeof content === "string") return content;
  const [only, ...others] = content;
  const isOneText = others.length === 0 && only?.role === role && Object.keys(only).length === 2;
  return isOneText && typeof only.content === "string" ? only.content : undefined;
}

/** What two conversations begin with alike: the prompt, where it is part of both answers. */
export function commonBeginning(a: Content | undefined, b: Content | undefined): readonly Message[] {
  if (typeof a !== "object" || typeof b !== "object") return [];
  let same = 0;
  const most = Math.min(a.length, b.length) - 1;
  while (same < most && canonicalJson(a[same]) === canonicalJson(b[same])) same += 1;
  return a.slice(0, same);
}

function isMessage(value: unknown): value is Message {
  return typeof value === "object" && value !== null && typeof (value as { role?: unknown }).role === "string";
}

function orderly({ role, content, ...others }: Message): Message {
  const rest = JSON.parse(canonicalJson(others) ?? "{}") as Record<string, unknown>;
  const said = content === undefined ? {} : { content: JSON.parse(canonicalJson(content) ?? "null") };
  return { role, ...said, ...rest };
}
