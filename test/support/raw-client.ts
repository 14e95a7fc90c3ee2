/** A client on the bare NATS library, written against PROTOCOL.md: tests from outside do not go through our own client. Free of vitest. */
import { jetstreamManager } from "@nats-io/jetstream";
import { headers, type NatsConnection, NoRespondersError } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { eventually } from "./eventually.ts";

/** A command as bytes on the wire will carry it. */
export interface RawCommand {
  readonly category: string;
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
  readonly commandId?: string;
  readonly expectedVersion?: number | "no-stream" | "any";
}

/** The reply to a command that was accepted. */
export interface RawReply {
  readonly stream: string;
  readonly version: number;
  readonly position: number;
  readonly durability: string;
  readonly events: readonly { id: string; type: string; version: number; position: number }[];
  readonly state: { readonly value: unknown; readonly status: string };
  readonly duplicate?: boolean;
}

/** An error as the wire carries it. */
export interface RawError {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What came of one request. `unanswered` means that nobody knows: no reply in time, or the connection went away. */
export type RawOutcome<Reply> =
  | { readonly outcome: "reply"; readonly reply: Reply }
  | { readonly outcome: "error"; readonly number: number; readonly error: RawError }
  | { readonly outcome: "no responders" }
  | { readonly outcome: "unanswered"; readonly reason: string };

/** Connects; the connection comes back for ever, as fast as a local broker may be restarted. */
export function connectRaw(url: string): Promise<NatsConnection> {
  return connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50, reconnectJitter: 20 });
}

/** Sends a command once. */
export function sendRaw(
  nats: NatsConnection,
  command: RawCommand,
  { timeoutMs = 5_000, prefix = "retrace" } = {},
): Promise<RawOutcome<RawReply>> {
  const { category, id, type, data, commandId, expectedVersion } = command;
  const sent = headers();
  if (commandId !== undefined) sent.set("Nats-Msg-Id", commandId);
  if (expectedVersion !== undefined) sent.set("Retrace-Expected-Version", String(expectedVersion));
  const subject = `${prefix}.cmd.${category}.${id}.${type}`;
  return request(nats, subject, JSON.stringify(data), { timeout: timeoutMs, headers: sent });
}

/** Asks a query and returns its reply. @throws Error when there is none, or an error. */
export async function queryRaw<Reply>(
  nats: NatsConnection,
  name: string,
  body: unknown = {},
  { timeoutMs = 10_000, prefix = "retrace" } = {},
): Promise<Reply> {
  const subject = `${prefix}.qry.${name}`;
  const outcome = await request<Reply>(nats, subject, JSON.stringify(body), { timeout: timeoutMs });
  if (outcome.outcome === "reply") return outcome.reply;
  throw new Error(`query ${name} ${JSON.stringify(body)}: ${JSON.stringify(outcome)}`);
}

async function request<Reply>(
  nats: NatsConnection,
  subject: string,
  body: string,
  options: { timeout: number; headers?: ReturnType<typeof headers> },
): Promise<RawOutcome<Reply>> {
  try {
    const message = await nats.request(subject, body, options);
    const number = message.headers?.get("Nats-Service-Error-Code") ?? "";
    if (number === "") return { outcome: "reply", reply: message.json<Reply>() };
    return { outcome: "error", number: Number(number), ...message.json<{ error: RawError }>() };
  } catch (error) {
    const { message, cause } = error as Error;
    const isNobodyThere = error instanceof NoRespondersError || cause instanceof NoRespondersError;
    return isNobodyThere ? { outcome: "no responders" } : { outcome: "unanswered", reason: message };
  }
}

/** The parts of `health` that tests wait for. */
export interface RawHealth {
  readonly status: string;
  readonly position: number;
  readonly relay: { readonly status: string; readonly position: number; readonly reason?: string };
  readonly process: { readonly pid: number };
  readonly commands: { readonly liveActors: number };
}

/** Resolves, with the position of both, when JetStream has the whole log, by its own word and by the runtime's. */
export async function relayCaughtUp(nats: NatsConnection, prefix = "retrace"): Promise<number> {
  const manager = await jetstreamManager(nats, { checkAPI: false });
  const { position } = await eventually("JetStream has the whole log", async () => {
    const { status, position, relay } = await queryRaw<RawHealth>(nats, "health", {}, { prefix, timeoutMs: 1_000 });
    const { state } = await manager.streams.info(`${prefix.toUpperCase()}_EVENTS`);
    const { messages, last_seq } = state;
    const hasAll = status === "ok" && [relay.position, messages, last_seq].every((count) => count === position);
    if (!hasAll) throw new Error(JSON.stringify({ status, position, relay, messages, last_seq }));
    return { position };
  });
  return position;
}
