/** Bodies on the wire: JSON, or MessagePack where the Content-Type says so. */
import { Packr } from "msgpackr";

export const msgpackType = "application/msgpack";

/** Many encoders write every integer in 64 bits; "auto", which the library's types do not know, reads numbers where it can. */
const packr = new Packr({ useRecords: false, int64AsType: "auto" as "number", encodeUndefinedAsNil: true });
const textDecoder = new TextDecoder("utf-8", { fatal: true });
const maxDepth = 64;
/** Written out, JSON escapes a surrogate only when it stands alone. */
const unpairedSurrogate = /(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/;

/** One way to write bodies. */
export interface Codec {
  readonly contentType: string;
  encode(value: unknown): Uint8Array;
  /** @throws Error with a sentence about the body when it cannot be read. */
  decode(bytes: Uint8Array): unknown;
}

export const json: Codec = {
  contentType: "application/json",
  // Small buffers come from Node's pool, where a TextEncoder would allocate each.
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => {
    if (bytes.length === 0) return {};
    let text: string;
    let value: unknown;
    try {
      text = textDecoder.decode(bytes);
      value = JSON.parse(text);
    } catch {
      throw new Error("the body is not JSON in UTF-8");
    }
    checked(value);
    // Only an escape can smuggle in half a character, which no store and no other language could give back.
    if (text.includes("\\u") && unpairedSurrogate.test(JSON.stringify(value))) {
      throw new Error("the body has an unpaired surrogate");
    }
    return value;
  },
};

export const msgpack: Codec = {
  contentType: msgpackType,
  encode: (value) => packr.pack(value),
  decode: (bytes) => {
    if (bytes.length === 0) return {};
    let value: unknown;
    try {
      value = packr.unpack(bytes);
    } catch {
      throw new Error("the body is not MessagePack");
    }
    checked(value);
    if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf("\ufffd") < 0 && hasReplacement(value)) {
      throw new Error("the body holds text that is not UTF-8");
    }
    return value;
  },
};

/** The codec for a Content-Type; JSON when there is none, undefined when it is unknown. */
export function codecFor(contentType: string | undefined): Codec | undefined {
  if (contentType === undefined || contentType === "") return json;
  const mediaType = contentType.split(";", 1)[0]?.trim().toLowerCase();
  if (mediaType === json.contentType) return json;
  return mediaType === msgpackType ? msgpack : undefined;
}

/** Whether a text, or the name of a field, has the character that stands where the bytes were no UTF-8. */
function hasReplacement(value: unknown): boolean {
  if (typeof value === "string") return value.includes("\ufffd");
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([key, inner]) => key.includes("\ufffd") || hasReplacement(inner));
}

/**
 * Refuses what no schema can see but later code would trip over: bottomless nesting, keys that are not fields, and the
 * values of MessagePack that JSON does not have.
 */
function checked(value: unknown, depth = 0): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (depth >= maxDepth) throw new Error(`the body is nested deeper than ${maxDepth} levels`);
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) {
    throw new Error("the body holds bytes, a time or an extension: only what JSON has can be a value");
  }
  for (const key in value) {
    // The MessagePack library gives the one name the other form.
    if (key === "__proto__" || key === "__proto_") throw new Error("the body has a field named __proto__");
    const inner = (value as Record<string, unknown>)[key];
    if (typeof inner === "object" && inner !== null) checked(inner, depth + 1);
  }
  return value;
}
