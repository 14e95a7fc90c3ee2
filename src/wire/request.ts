/** One request of a client: sent until there is a reply or its time is over. */
import { setTimeout as delay } from "node:timers/promises";
import {
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  NoRespondersError,
  type RequestOptions,
} from "@nats-io/nats-core";
import { type ErrorBody, Fault } from "../core/fault.ts";
import { json } from "./codec.ts";

/** What to ask, and for how long. */
export interface Request {
  readonly nats: NatsConnection;
  readonly subject: string;
  readonly body: unknown;
  readonly headers?: MsgHdrs;
  readonly timeoutMs: number;
  /** Whether an answer that may be another one in a moment is asked for again. Default: true. */
  readonly retry?: boolean;
}

export const defaultTimeoutMs = 10_000;
const attemptTimeoutMs = 5_000;
const retryDelayMs = 50;
const maxRetryDelayMs = 1_000;
/** The broker's limit counts headers, too. */
const headerRoomBytes = 8 * 1024;

/**
 * Sends until there is a reply or the time is over. Without a reply the outcome is unknown, so it sends the very same
 * request again: the command id makes that harmless.
 */
export async function request<Reply>({ subject, body, ...rest }: Request): Promise<Reply> {
  return requestBytes<Reply>({ ...rest, subject, bytes: json.encode(body ?? {}) });
}

/** The same with a body that is written already. */
export async function requestBytes<Reply>(
  options: Omit<Request, "body"> & { readonly bytes: Uint8Array },
): Promise<Reply> {
  const { nats, subject, bytes, headers, timeoutMs, retry = true } = options;
  assertFits(nats, bytes);
  const deadline = Date.now() + timeoutMs;
  for (const pause of pauses()) {
    const timeout = Math.max(1, Math.min(attemptTimeoutMs, deadline - Date.now()));
    const answer = await attempt<Reply>(nats, subject, bytes, { timeout, ...(headers && { headers }) });
    if (!(answer instanceof Fault)) return answer.reply;
    const pauseMs = pause(answer);
    if (!retry || !isWorthAnotherTry(answer) || Date.now() + pauseMs >= deadline) throw answer;
    await delay(pauseMs);
  }
  throw new Error("unreachable: there is always another pause");
}

/** How long to wait before each further try: longer each time, and as long as an overloaded runtime asks for. */
export function* pauses(): Iterable<(fault: Fault) => number> {
  for (let ms = retryDelayMs; ; ms = Math.min(ms * 2, maxRetryDelayMs)) {
    yield ({ details }) => Math.max(ms, typeof details.retryAfterMs === "number" ? details.retryAfterMs : 0);
  }
}

/** A conflict is retryable too, but only with a new decision, which is the caller's. */
export function isWorthAnotherTry(fault: Fault): boolean {
  return fault.isRetryable && fault.code !== "WRONG_EXPECTED_VERSION" && fault.code !== "PROJECTION_BEHIND";
}

/** The bytes that a request may have on this connection. */
export function maxRequestBytes(nats: NatsConnection): number {
  return (nats.info?.max_payload ?? Number.POSITIVE_INFINITY) - headerRoomBytes;
}

function assertFits(nats: NatsConnection, { length }: Uint8Array): void {
  if (length <= maxRequestBytes(nats)) return;
  const limit = nats.info?.max_payload;
  const advice = "put it into the object store (putObject) and send the reference {ref, sha256, bytes, mediaType}";
  throw new Fault("PAYLOAD_TOO_LARGE", `the body has ${length} bytes, the broker takes ${limit}: ${advice}`, {
    bytes: length,
    limit,
  });
}

async function attempt<Reply>(
  nats: NatsConnection,
  subject: string,
  bytes: Uint8Array,
  options: RequestOptions,
): Promise<{ readonly reply: Reply } | Fault> {
  let message: Msg;
  try {
    message = await nats.request(subject, bytes, options);
  } catch (error) {
    return unanswered(error);
  }
  const body = json.decode(message.data);
  if (message.headers?.has("Nats-Service-Error-Code") !== true) return { reply: body as Reply };
  return faultOf(body as ErrorBody);
}

/** The fault that an error body tells of. */
export function faultOf({ error: { code, message, details } }: ErrorBody): Fault {
  return new Fault(code, message, details);
}

function unanswered(error: unknown): Fault {
  if (error instanceof NoRespondersError || (error as Error).cause instanceof NoRespondersError) {
    return new Fault("BUS_UNAVAILABLE", "no runtime answers on this broker and prefix: start one with `retrace start`");
  }
  return new Fault(
    "BUS_UNAVAILABLE",
    `no reply in time: the outcome is unknown (${(error as Error).message})`,
    {},
    error,
  );
}
