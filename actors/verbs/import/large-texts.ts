/** What becomes of texts that are too long for an event: the whole goes into the object store, or it is cut. */
import { createHash } from "node:crypto";
import type { ObjectReference } from "retrace";

/** Stands in the data of a command for a text whose reference takes its place. */
export class LargeText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The data with references in the place of large texts. `put` is called for these alone. */
export async function withLargeTextsPut(
  value: unknown,
  put: (text: string) => Promise<ObjectReference>,
): Promise<unknown> {
  if (value instanceof LargeText) return put(value.text);
  if (Array.isArray(value)) return Promise.all(value.map((inner) => withLargeTextsPut(inner, put)));
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).map(async ([name, inner]) => [name, await withLargeTextsPut(inner, put)]);
  return Object.fromEntries(await Promise.all(fields));
}

/** At most so many characters of a text; of a longer one the beginning, and what proves what the whole of it was. */
export function cut(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const sha256 = createHash("sha256").update(text).digest("hex");
  const mark = `\n[cut: the whole has ${text.length} characters and the SHA-256 ${sha256}]`;
  // Half a character is no text.
  return text.slice(0, characters - mark.length).replace(/[\uD800-\uDBFF]$/, "") + mark;
}
