/** What the tests of PROTOCOL.md say to a runtime, and how they read what comes back. Knows the page, not the product. */
import { expect } from "vitest";
import { type RawHeaders, type RawMessage, RawNats } from "./raw-nats.ts";

/** A recorded event, as PROTOCOL.md shows it. */
export interface WireEvent {
  readonly id: string;
  readonly position: number;
  readonly stream: string;
  readonly category: string;
  readonly version: number;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: Readonly<Record<string, unknown>>;
  readonly occurredAt: string;
  readonly recordedAt: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Everything that replies hold; each reply has some of it. */
export interface ReplyBody {
  readonly stream: string;
  readonly version: number;
  readonly position: number;
  readonly durability: string;
  readonly recordedAt: string;
  readonly events: readonly WireEvent[];
  readonly next: number | null;
  readonly state: { readonly value: unknown; readonly status: string; readonly context: Record<string, unknown> };
  readonly duplicate?: true;
  readonly error?: ErrorReply;
}

export interface ErrorReply {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
}

/** A body to send: bytes and strings as they are, anything else as JSON. */
export type Body = unknown;

/** A connection that speaks to one runtime. */
export interface Edge {
  readonly raw: RawNats;
  /** Sends on `<prefix>.cmd.<address>` and reads the JSON of the reply. */
  command(address: string, body?: Body, headers?: RawHeaders): Promise<ReplyBody>;
  /** Asks on `<prefix>.qry.<name>`. */
  query(name: string, body?: Body, headers?: RawHeaders): Promise<ReplyBody>;
  /** The message itself, on any subject behind the prefix. */
  request(subject: string, body?: Body, headers?: RawHeaders): Promise<RawMessage>;
  /** Of the log; also shows that the runtime serves. */
  position(): Promise<number>;
}

/** Connects. */
export async function openEdge(url: string, prefix = "retrace"): Promise<Edge> {
  const raw = await RawNats.connect(url);
  const request = (subject: string, body: Body = {}, headers?: RawHeaders): Promise<RawMessage> =>
    raw.request(`${prefix}.${subject}`, bytesOf(body), headers);
  const query = async (name: string, body?: Body, headers?: RawHeaders): Promise<ReplyBody> =>
    read(await request(`qry.${name}`, body, headers));
  return {
    raw,
    request,
    query,
    command: async (address, body, headers) => read(await request(`cmd.${address}`, body, headers)),
    position: async () => (await query("health")).position,
  };
}

function bytesOf(body: Body): Uint8Array | string {
  return typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
}

/** The JSON of a reply. */
export function read({ body }: RawMessage): ReplyBody {
  return JSON.parse(body.toString("utf8")) as ReplyBody;
}

const numbers: Readonly<Record<string, readonly [number: number, retryable: boolean]>> = {
  INVALID_COMMAND: [400, false],
  INVALID_QUERY: [400, false],
  UNKNOWN_CATEGORY: [404, false],
  UNKNOWN_COMMAND: [404, false],
  UNKNOWN_QUERY: [404, false],
  NOT_FOUND: [404, false],
  COMMAND_ID_REUSED: [409, false],
  WRONG_EXPECTED_VERSION: [412, true],
  PAYLOAD_TOO_LARGE: [413, false],
  NOT_ALLOWED_IN_STATE: [422, false],
  REJECTED: [422, false],
  SHUTTING_DOWN: [503, true],
  PROJECTION_BEHIND: [504, true],
};

/** Checks that a reply is the error `code` in every part that PROTOCOL.md names, and returns its details. */
export function errorOf(message: RawMessage, code: string): Readonly<Record<string, unknown>> {
  const { error } = read(message);
  const [number, retryable] = numbers[code] as readonly [number, boolean];
  expect(error).toMatchObject({ code, retryable, message: expect.stringMatching(/\S/), details: {} });
  expect(message.statusLine).toBe("NATS/1.0");
  expect(message.headers.get("Nats-Service-Error-Code")).toBe(String(number));
  expect(message.headers.get("Nats-Service-Error")).toMatch(/^\S[^\r\n]*$/);
  return (error as ErrorReply).details;
}

let made = 0;

/** An id that no other test of this process uses. */
export function fresh(name = "x"): string {
  made += 1;
  return `${name}-${made}`;
}

/** The built-in categories. */
export const builtInCategories = [
  ...["agent-session", "dataset", "document", "feature-set", "feedback", "inference"],
  ...["model", "policy", "review", "reviewer", "training-run"],
];
