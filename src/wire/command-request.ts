/** From the bytes and headers of a request to a checked command: PROTOCOL.md, Commands. */
import { z } from "zod";
import { digest } from "../core/digest.ts";
import { Fault } from "../core/fault.ts";
import type { Command, Metadata } from "../core/message.ts";
import type { Schemas } from "../core/schema.ts";
import { streamName } from "../core/stream.ts";
import { type Codec, codecFor } from "./codec.ts";
import { schemaFault } from "./schema-fault.ts";
import { type CommandAddress, parseCommandSubject } from "./subjects.ts";

/** A command that has passed its schema, with where it goes and what it expects there. */
export interface CommandRequest {
  readonly category: string;
  readonly id: string;
  readonly stream: string;
  readonly command: Command;
  /** Of the stream; undefined for any. */
  readonly expectedVersion: number | undefined;
  /** The client chose the command id, so its reply is kept for repetitions. */
  readonly isIdempotent: boolean;
  /** Digest of type and body: the same id with another digest is a mistake. */
  readonly digest: number;
}

/** What parsing needs to know of the runtime. */
export interface RequestContext {
  readonly prefix: string;
  /** By category. */
  readonly schemas: ReadonlyMap<string, Schemas>;
  readonly now: () => string;
  readonly newId: () => string;
}

/** The headers of a request, of a message of its own or of an entry in a bulk request. */
export interface RequestHeaders {
  has(name: string): boolean;
  /** Empty when there is none. */
  get(name: string): string;
}

/** A request as it came: subject, headers, body. */
export interface RawRequest {
  readonly subject: string;
  readonly headers?: RequestHeaders | undefined;
  readonly data: Uint8Array;
}

/** Bodies above this, as sent and as JSON, are refused; larger things belong into an object store. */
const maxBodyBytes = 256 * 1024;
/** A body can grow when it is written as JSON, to seven times at most: below this there is no need to look. */
const maxBytesBeforeGrowth = maxBodyBytes / 8;
const maxAheadMs = 5 * 60 * 1000;
const maxHeaderLength = 256;

/** Checks everything that can be checked without state. @throws Fault with a 4xx code. */
export function parseCommandRequest(raw: RawRequest, context: RequestContext): CommandRequest {
  const address = parseCommandSubject(context.prefix, raw.subject);
  if (address === undefined) {
    const shape = `${context.prefix}.cmd.<category>.<id>.<CommandType>`;
    throw invalid(`the subject must be ${shape}, the id 1 to 128 of A-Z a-z 0-9 _ - ~`, "subject");
  }
  const body = (): unknown => decodeBody(raw, "INVALID_COMMAND");
  return checkCommand({ address, body, headers: () => raw.headers, bytes: raw.data.length }, context);
}

/** A command as it was sent, alone or among others. */
export interface SentCommand {
  readonly address: CommandAddress;
  /** Called when the address is known to exist. */
  readonly body: () => unknown;
  /** Called behind the body: headers that cannot be read throw, and decoding the body says so in its own way. */
  readonly headers: () => RequestHeaders | undefined;
  /** What the body took on the wire, at most. */
  readonly bytes: number;
}

/** Schema and headers. @throws Fault with a 4xx code. */
export function checkCommand(sent: SentCommand, context: RequestContext): CommandRequest {
  const { address, bytes } = sent;
  const schema = commandSchema(address, context.schemas);
  const parsed = schema.safeParse(sent.body());
  if (!parsed.success) throw schemaFault("INVALID_COMMAND", address.type, parsed.error);
  if (bytes > maxBytesBeforeGrowth) assertFits(Buffer.byteLength(JSON.stringify(parsed.data)));
  return withHeaders(address, parsed.data, sent.headers(), context);
}

function commandSchema({ category, type }: CommandAddress, all: ReadonlyMap<string, Schemas>) {
  const schemas = all.get(category);
  if (schemas === undefined) {
    const known = [...all.keys()].sort();
    throw new Fault("UNKNOWN_CATEGORY", `there is no category ${category}; there are ${known.join(", ")}`, { known });
  }
  const schema = Object.hasOwn(schemas.commands, type) ? schemas.commands[type] : undefined;
  if (schema === undefined) {
    const known = Object.keys(schemas.commands).sort();
    throw new Fault("UNKNOWN_COMMAND", `${category} has no command ${type}; it has ${known.join(", ")}`, { known });
  }
  return schema;
}

function assertFits(bytes: number): void {
  if (bytes <= maxBodyBytes) return;
  const advice = "put it into the object store and send a reference {ref, sha256, bytes, mediaType}";
  throw new Fault("PAYLOAD_TOO_LARGE", `the body has ${bytes} bytes, ${maxBodyBytes} are allowed: ${advice}`, {
    bytes,
    limit: maxBodyBytes,
  });
}

/** The body of a command or a query. @throws Fault `code`, or PAYLOAD_TOO_LARGE. */
export function decodeBody(raw: RawRequest, code: "INVALID_COMMAND" | "INVALID_QUERY"): unknown {
  assertFits(raw.data.length);
  return decodeAnyBody(raw, code);
}

/** The same for a body that the broker alone bounds. */
export function decodeAnyBody(raw: RawRequest, code: "INVALID_COMMAND" | "INVALID_QUERY"): unknown {
  const codec = requestCodec(raw, code);
  try {
    return codec.decode(raw.data);
  } catch (error) {
    throw invalid((error as Error).message, "", code);
  }
}

function requestCodec(raw: RawRequest, code: "INVALID_COMMAND" | "INVALID_QUERY"): Codec {
  let codec: Codec | undefined;
  try {
    codec = codecFor(raw.headers?.get("Content-Type"));
  } catch (error) {
    throw invalid(`the headers cannot be read: ${(error as Error).message}`, "headers", code);
  }
  if (codec !== undefined) return codec;
  throw invalid("Content-Type must be application/json or application/msgpack", "Content-Type", code);
}

function withHeaders(
  address: CommandAddress,
  data: unknown,
  headers: RequestHeaders | undefined,
  context: RequestContext,
): CommandRequest {
  const { category, id, type } = address;
  const givenId = headerText(headers, "Nats-Msg-Id");
  const commandId = givenId ?? context.newId();
  return {
    category,
    id,
    stream: streamName(category, id),
    command: { type, data, occurredAt: occurredAt(headers, context.now()), metadata: metadata(headers, commandId) },
    expectedVersion: expectedVersion(headers),
    isIdempotent: givenId !== undefined,
    digest: givenId === undefined ? 0 : digestOf(type, data),
  };
}

/** The body as its schema read it, so that the order of fields and the encoding do not matter. */
function digestOf(type: string, data: unknown): number {
  return digest(`${type}
${JSON.stringify(data)}`);
}

function metadata(headers: RequestHeaders | undefined, commandId: string): Metadata {
  if (headers === undefined) return { correlationId: commandId, causationId: commandId, commandId };
  const actor = headerText(headers, "Retrace-Actor");
  const trace = traceparent(headers);
  return {
    correlationId: headerText(headers, "Retrace-Correlation-Id") ?? commandId,
    causationId: headerText(headers, "Retrace-Causation-Id") ?? commandId,
    commandId,
    ...(actor === undefined ? undefined : { actor: { id: actor, verified: false } }),
    ...(trace === undefined ? undefined : { traceparent: trace }),
  };
}

/** A header that is free text: 1 to 256 characters of UTF-8, none of them a control character. */
function headerText(headers: RequestHeaders | undefined, name: string): string | undefined {
  if (headers?.has(name) !== true) return undefined;
  const value = headers.get(name);
  // What was no UTF-8 has come out as U+FFFD, and two ids must not become one that way.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (value.length === 0 || value.length > maxHeaderLength || /[\u0000-\u001f\u007f\ufffd]/.test(value)) {
    throw invalid(`${name} must be 1 to ${maxHeaderLength} characters of UTF-8 without control characters`, name);
  }
  return value;
}

function expectedVersion(headers: RequestHeaders | undefined): number | undefined {
  if (headers?.has("Retrace-Expected-Version") !== true) return undefined;
  const value = headers.get("Retrace-Expected-Version");
  if (value === "any") return undefined;
  if (value === "no-stream") return 0;
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw invalid("Retrace-Expected-Version must be an integer from 0, no-stream or any", "Retrace-Expected-Version");
}

const isoTime = z.iso.datetime({ offset: true });
/** Times before are written in another form and would no longer compare as strings. */
const yearZeroMs = Date.parse("0000-01-01T00:00:00Z");

function occurredAt(headers: RequestHeaders | undefined, now: string): string {
  const name = "Retrace-Occurred-At";
  if (headers?.has(name) !== true) return now;
  const value = headers.get(name);
  const time = isoTime.safeParse(value).success ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time) || time < yearZeroMs)
    throw invalid(`${name} must be an ISO 8601 time with a zone, like 2026-01-31T12:00:00Z`, name);
  if (time > Date.parse(now) + maxAheadMs) throw invalid(`${name} is more than 5 minutes in the future`, name);
  return new Date(time).toISOString();
}

function traceparent(headers: RequestHeaders): string | undefined {
  if (!headers.has("traceparent")) return undefined;
  const value = headers.get("traceparent");
  if (/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[\x21-\x7e]{1,200})?$/.test(value)) return value;
  throw invalid("traceparent must follow W3C Trace Context: 00-<32 hex>-<16 hex>-<2 hex>", "traceparent");
}

function invalid(message: string, path: string, code: "INVALID_COMMAND" | "INVALID_QUERY" = "INVALID_COMMAND"): Fault {
  return new Fault(code, message, { issues: [{ path, message }] });
}
