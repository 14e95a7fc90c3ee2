/** The client: commands and queries over NATS, as any user's program sends them. */
import { setTimeout as delay } from "node:timers/promises";
import {
  headers,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  NoRespondersError,
  type RequestOptions,
} from "@nats-io/nats-core";
import type { Domain, DomainCommand } from "../core/domain.ts";
import type { LogFilter } from "../core/event-store.ts";
import { type ErrorBody, Fault } from "../core/fault.ts";
import { json } from "./codec.ts";
import { openConnection } from "./connection.ts";
import type { CommandReply, EventsReply, HistoryReply, StateReply } from "./replies.ts";
import { type CommandAddress, commandSubject, defaultPrefix, parseCommandSubject, querySubject } from "./subjects.ts";
import { ulids } from "./ulid.ts";

/** Where and how to connect. */
export interface ConnectOptions {
  /** `nats://host:port`, credentials included where needed. Default: `nats://127.0.0.1:4222`. */
  readonly servers?: string | readonly string[];
  /** The subject prefix of the runtime. Default: `retrace`. */
  readonly prefix?: string;
  /** Who acts, sent as `Retrace-Actor` with every command that does not name another. */
  readonly actor?: string;
  /** Shown in the broker's connection list. */
  readonly name?: string;
}

/** The headers of one command. Everything is optional; see PROTOCOL.md, Commands. */
export interface SendOptions {
  /** Makes the command idempotent on its stream. Default: a fresh id, kept across the client's own retries. */
  readonly commandId?: string;
  readonly expectedVersion?: number | "no-stream" | "any";
  readonly correlationId?: string;
  readonly causationId?: string;
  /** ISO 8601, for backfills. */
  readonly occurredAt?: string;
  readonly actor?: string;
  readonly traceparent?: string;
  /** For the whole send, retries included. Default: 10,000. */
  readonly timeoutMs?: number;
}

/** A point in the history of one aggregate, inclusive. At most one. */
export interface AsOf {
  readonly atVersion?: number;
  readonly atPosition?: number;
  readonly atRecorded?: string;
  readonly atOccurred?: string;
}

/** A connected client. Every method throws `Fault` with a code of PROTOCOL.md. */
export interface Client<D extends Domain = Domain> {
  readonly nats: NatsConnection;
  send<Category extends keyof D & string>(
    category: Category,
    id: string,
    command: DomainCommand<D, Category>,
    options?: SendOptions,
  ): Promise<CommandReply>;
  state(category: keyof D & string, id: string, at?: AsOf): Promise<StateReply>;
  history(
    category: keyof D & string,
    id: string,
    page?: { fromVersion?: number; limit?: number },
  ): Promise<HistoryReply>;
  /** One page of the log. */
  events(filter?: LogFilter): Promise<EventsReply>;
  /** Any query by name. */
  query<Reply = unknown>(name: string, body?: unknown): Promise<Reply>;
  close(): Promise<void>;
}

/** Connects to the broker that a runtime serves. @throws Fault BUS_UNAVAILABLE when it cannot be reached. */
export async function connect<D extends Domain = Domain>(options: ConnectOptions = {}): Promise<Client<D>> {
  const { prefix = defaultPrefix, name = "retrace client" } = options;
  const nats = await openConnection({ servers: options.servers ?? defaultServer, name });
  const query = <Reply>(queryName: string, body: unknown = {}): Promise<Reply> =>
    request<Reply>({ nats, subject: querySubject(prefix, queryName), body, timeoutMs: defaultTimeoutMs });

  return {
    nats,
    query,
    send: async (category, id, command, sendOptions = {}) =>
      request<CommandReply>({
        nats,
        subject: subjectOf(prefix, { category, id, type: command.type }),
        body: command.data,
        headers: commandHeaders(sendOptions, options.actor),
        timeoutMs: sendOptions.timeoutMs ?? defaultTimeoutMs,
      }),
    state: (category, id, at = {}) => query("state", { category, id, ...at }),
    history: (category, id, page = {}) => query("history", { category, id, ...page }),
    events: (filter = {}) => query("events", filter),
    close: async () => {
      await nats.drain().catch(() => {});
    },
  };
}

const defaultServer = "nats://127.0.0.1:4222";
const defaultTimeoutMs = 10_000;
const attemptTimeoutMs = 5_000;
const retryDelayMs = 50;
const maxRetryDelayMs = 1_000;
/** The broker's limit counts headers, too. */
const headerRoomBytes = 8 * 1024;

/** What is no subject cannot be sent, or would be answered by nobody: refused here as the runtime would. */
function subjectOf(prefix: string, address: CommandAddress): string {
  const subject = commandSubject(prefix, address);
  const isSubject = !/[\s*>]|\.\.|\.$/.test(subject) && parseCommandSubject(prefix, subject) !== undefined;
  if (isSubject) return subject;
  throw invalid(`${subject} is not <category>.<id>.<CommandType>, the id 1 to 128 of A-Z a-z 0-9 _ - ~`, "subject");
}

function invalid(message: string, path: string): Fault {
  return new Fault("INVALID_COMMAND", message, { issues: [{ path, message }] });
}

function commandHeaders(options: SendOptions, defaultActor: string | undefined): MsgHdrs {
  const all: Record<string, string | undefined> = {
    "Nats-Msg-Id": options.commandId ?? newCommandId(),
    "Retrace-Expected-Version": options.expectedVersion?.toString(),
    "Retrace-Correlation-Id": options.correlationId,
    "Retrace-Causation-Id": options.causationId,
    "Retrace-Occurred-At": options.occurredAt,
    "Retrace-Actor": options.actor ?? defaultActor,
    traceparent: options.traceparent,
  };
  const result = headers();
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined && /[\r\n]/.test(value)) throw invalid(`${name} has a line break in it`, name);
    if (value !== undefined) result.set(name, value);
  }
  return result;
}

const newCommandId = ulids(Date.now);

interface Request {
  readonly nats: NatsConnection;
  readonly subject: string;
  readonly body: unknown;
  readonly headers?: MsgHdrs;
  readonly timeoutMs: number;
}

/**
 * Sends until there is a reply or the time is over. Without a reply the outcome is unknown, so it sends the very same
 * request again: the command id makes that harmless.
 */
async function request<Reply>({ nats, subject, body, headers, timeoutMs }: Request): Promise<Reply> {
  const bytes = json.encode(body ?? {});
  const limit = nats.info?.max_payload ?? Number.POSITIVE_INFINITY;
  if (bytes.length + headerRoomBytes > limit) {
    const advice = "put it into the object store and send a reference {ref, sha256, bytes, mediaType}";
    throw new Fault("PAYLOAD_TOO_LARGE", `the body has ${bytes.length} bytes, the broker takes ${limit}: ${advice}`, {
      bytes: bytes.length,
      limit,
    });
  }
  const deadline = Date.now() + timeoutMs;
  for (let delayMs = retryDelayMs; ; delayMs = Math.min(delayMs * 2, maxRetryDelayMs)) {
    const timeout = Math.max(1, Math.min(attemptTimeoutMs, deadline - Date.now()));
    const fault = await attempt<Reply>(nats, subject, bytes, {
      timeout,
      ...(headers === undefined ? {} : { headers }),
    });
    if (!(fault instanceof Fault)) return fault.reply;
    if (!isWorthAnotherTry(fault) || Date.now() + delayMs >= deadline) throw fault;
    await delay(delayMs);
  }
}

/** A conflict is retryable too, but only with a new decision, which is the caller's. */
function isWorthAnotherTry(fault: Fault): boolean {
  return fault.isRetryable && fault.code !== "WRONG_EXPECTED_VERSION" && fault.code !== "PROJECTION_BEHIND";
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
  const { code, message: text, details } = (body as ErrorBody).error;
  return new Fault(code, text, details);
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
