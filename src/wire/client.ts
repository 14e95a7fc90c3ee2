/** The client: commands and queries over NATS, as any user's program sends them. */
import { headers, type MsgHdrs, type NatsConnection } from "@nats-io/nats-core";
import type { Domain, DomainCommand } from "../core/domain.ts";
import type { LogFilter } from "../core/event-store.ts";
import { Fault } from "../core/fault.ts";
import { type CommandMetadata, commandHeaders } from "./command-headers.ts";
import { openConnection } from "./connection.ts";
import { type ObjectData, type ObjectReference, Objects, type ReadOptions, type StoredObject } from "./objects.ts";
import { type Replayed, type ReplayHandler, type ReplayOptions, replay } from "./replay.ts";
import type { CommandReply, EventsReply, HistoryReply, StateReply, WhyReply } from "./replies.ts";
import { defaultTimeoutMs, request } from "./request.ts";
import { type SendManyOptions, type Sent, sendMany } from "./send-many.ts";
import {
  adminSubject,
  type CommandAddress,
  commandSubject,
  defaultPrefix,
  parseCommandSubject,
  querySubject,
} from "./subjects.ts";
import { type EventTypeOf, type SubscribedEvent, type SubscribeOptions, subscribe } from "./subscribe.ts";
import type { EventSubscription } from "./subscription-run.ts";
import type { EventHandler } from "./subscription-work.ts";

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

/** How to send one command, and its headers: PROTOCOL.md, Commands. Everything is optional. */
export interface SendOptions extends CommandMetadata {
  /** For the whole send, retries included. Default: 10,000. */
  readonly timeoutMs?: number;
  /** Whether the client sends again, with the same command id, what was not answered or turned away. Default: true. */
  readonly retry?: boolean;
}

/** How to update one aggregate. A command id, an expected version and a retry are its own business. */
export interface UpdateOptions extends Omit<SendOptions, "commandId" | "expectedVersion" | "retry"> {
  /** How often to decide, at most. Default: 10. */
  readonly attempts?: number;
}

/** A command of a domain, with its address. */
export type AddressedDomainCommand<D extends Domain> = {
  [Category in keyof D & string]: {
    readonly category: Category;
    readonly id: string;
    readonly command: DomainCommand<D, Category>;
    readonly options?: CommandMetadata;
  };
}[keyof D & string];

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
  /**
   * Sends many commands, pipelined and in bulk, and yields what became of each, in their order; the order of each stream
   * is kept. Answers that are worth another try are asked for again.
   */
  sendMany<Command extends AddressedDomainCommand<D>>(
    commands: Iterable<Command> | AsyncIterable<Command>,
    options?: SendManyOptions,
  ): AsyncGenerator<Sent<Command>, void, undefined>;
  /**
   * Reads the state, lets `decide` make a command of it, and sends that against the version read; after a conflict it
   * reads and decides again. `decide` gets undefined for an empty stream, and gives undefined to leave it at that.
   * @throws Fault WRONG_EXPECTED_VERSION when others were faster every time.
   */
  update<Category extends keyof D & string>(
    category: Category,
    id: string,
    decide: (state: StateReply | undefined) => DomainCommand<D, Category> | undefined,
    options?: UpdateOptions,
  ): Promise<CommandReply | undefined>;
  state(category: keyof D & string, id: string, at?: AsOf): Promise<StateReply>;
  history(
    category: keyof D & string,
    id: string,
    page?: { fromVersion?: number; limit?: number },
  ): Promise<HistoryReply>;
  /**
   * Which event last set a field, who did it, and what led to that. A field is `state`, or a path into the context with
   * dots between its keys.
   * @throws Fault NOT_FOUND for a stream or a field that is not there: `details.fields` are those that are.
   */
  why(category: keyof D & string, id: string, field: string, at?: AsOf): Promise<WhyReply>;
  /** One page of the log. */
  events(filter?: LogFilter): Promise<EventsReply>;
  /**
   * Hands the events of some categories and types to a handler: at least once, in order within a stream, from where the
   * name was. What it cannot do becomes a dead letter. See SUBSCRIBERS.md.
   * @throws Fault INVALID_QUERY for options that cannot be, and for other filters than the name had.
   */
  subscribe<Category extends keyof D & string, Type extends EventTypeOf<D, Category>>(
    options: SubscribeOptions<Category, Type>,
    handler: EventHandler<SubscribedEvent<D, Category, Type>>,
  ): Promise<EventSubscription>;
  /**
   * Hands a range of the log to a handler, event by event in the order of the log, at full speed or in scaled time. Nothing
   * is kept of it: it begins anew every time. Events come as they were stored, see `SubscribedEvent`.
   * @throws Fault INVALID_QUERY for options that cannot be; and what the handler throws, which ends it.
   */
  replay<Category extends keyof D & string, Type extends EventTypeOf<D, Category>>(
    options: ReplayOptions<Category, Type>,
    handler: ReplayHandler<SubscribedEvent<D, Category, Type>>,
  ): Promise<Replayed>;
  /** Any query by name. */
  query<Reply = unknown>(name: string, body?: unknown): Promise<Reply>;
  /** A verb that changes the running system, by name. */
  admin<Reply = unknown>(verb: string, body?: unknown): Promise<Reply>;
  /**
   * Puts a large thing into the broker's object store and returns the reference that commands carry. The same bytes
   * give the same reference.
   */
  putObject(data: ObjectData, options?: { readonly mediaType?: string }): Promise<ObjectReference>;
  /** The bytes behind a reference, all of them. @throws Fault as `readObject`. */
  getObject(reference: StoredObject, options?: ReadOptions): Promise<Uint8Array>;
  /**
   * The bytes behind a reference, piece by piece; the SHA-256 is verified at the end.
   * @throws Fault NOT_FOUND; OBJECT_DAMAGED when what arrived is not what the reference says.
   */
  readObject(reference: StoredObject, options?: ReadOptions): AsyncIterable<Uint8Array>;
  /** Closes the subscriptions, and then the connection. */
  close(): Promise<void>;
}

/** Connects to the broker that a runtime serves. @throws Fault BUS_UNAVAILABLE when it cannot be reached. */
export async function connect<D extends Domain = Domain>(options: ConnectOptions = {}): Promise<Client<D>> {
  const { prefix = defaultPrefix, name = "retrace client", actor } = options;
  const nats = await openConnection({ servers: options.servers ?? defaultServer, name });
  const query = <Reply>(queryName: string, body: unknown = {}): Promise<Reply> =>
    request<Reply>({ nats, subject: querySubject(prefix, queryName), body, timeoutMs: defaultTimeoutMs });
  const objects = new Objects(nats, prefix);
  const subscriptions = new Set<EventSubscription>();

  const client: Client<D> = {
    nats,
    query,
    send: async (category, id, command, { timeoutMs = defaultTimeoutMs, retry = true, ...metadata } = {}) =>
      request<CommandReply>({
        nats,
        subject: subjectOf(prefix, { category, id, type: command.type }),
        body: command.data,
        headers: messageHeaders(commandHeaders(metadata, actor)),
        timeoutMs,
        retry,
      }),
    sendMany: (commands, sendOptions) => sendMany({ nats, prefix, actor }, commands, sendOptions),
    update: (category, id, decide, updateOptions) => update(client, { category, id, decide }, updateOptions),
    state: (category, id, at = {}) => query("state", { category, id, ...at }),
    history: (category, id, page = {}) => query("history", { category, id, ...page }),
    why: (category, id, field, at = {}) => query("why", { category, id, field, ...at }),
    events: (filter = {}) => query("events", filter),
    subscribe: async (subscribeOptions, handler) => {
      const subscription = await subscribe({ nats, prefix, query }, subscribeOptions, handler as EventHandler);
      subscriptions.add(subscription);
      const forget = () => subscriptions.delete(subscription);
      subscription.done.then(forget, forget);
      return subscription;
    },
    replay: (replayOptions, handler) => replay({ query }, replayOptions, handler as ReplayHandler),
    admin: <Reply>(verb: string, body: unknown = {}) =>
      request<Reply>({ nats, subject: adminSubject(prefix, verb), body, timeoutMs: adminTimeoutMs }),
    putObject: (data, putOptions) => objects.put(data, putOptions),
    getObject: (reference, readOptions) => objects.get(reference, readOptions),
    readObject: (reference, readOptions) => objects.read(reference, readOptions),
    close: async () => {
      await Promise.all([...subscriptions].map((subscription) => subscription.close()));
      await nats.drain().catch(() => {});
    },
  };
  return client;
}

/** Such a verb may work for a while. */
const adminTimeoutMs = 60_000;
const defaultServer = "nats://127.0.0.1:4222";

/** What is no subject cannot be sent, or would be answered by nobody: refused here as the runtime would. */
function subjectOf(prefix: string, address: CommandAddress): string {
  const subject = commandSubject(prefix, address);
  const isSubject = !/[\s*>]|\.\.|\.$/.test(subject) && parseCommandSubject(prefix, subject) !== undefined;
  if (isSubject) return subject;
  throw invalid(`${subject} is not <category>.<id>.<CommandType>, the id 1 to 128 of A-Z a-z 0-9 _ - ~`, "subject");
}

function messageHeaders(said: Readonly<Record<string, string>>): MsgHdrs {
  const result = headers();
  for (const [name, value] of Object.entries(said)) {
    if (/[\r\n]/.test(value)) throw invalid(`${name} has a line break in it`, name);
    result.set(name, value);
  }
  return result;
}

function invalid(message: string, path: string): Fault {
  return new Fault("INVALID_COMMAND", message, { issues: [{ path, message }] });
}

interface Update<D extends Domain, Category extends keyof D & string> {
  readonly category: Category;
  readonly id: string;
  readonly decide: (state: StateReply | undefined) => DomainCommand<D, Category> | undefined;
}

async function update<D extends Domain, Category extends keyof D & string>(
  client: Client<D>,
  { category, id, decide }: Update<D, Category>,
  { attempts = 10, ...options }: UpdateOptions = {},
): Promise<CommandReply | undefined> {
  for (let attempt = 1; ; attempt++) {
    const state = await stateOrEmpty(client, category, id);
    const command = decide(state);
    if (command === undefined) return undefined;
    try {
      return await client.send(category, id, command, { ...options, expectedVersion: state?.version ?? "no-stream" });
    } catch (error) {
      const isConflict = error instanceof Fault && error.code === "WRONG_EXPECTED_VERSION";
      if (!isConflict || attempt >= attempts) throw error;
    }
  }
}

async function stateOrEmpty<D extends Domain>(
  client: Client<D>,
  category: keyof D & string,
  id: string,
): Promise<StateReply | undefined> {
  try {
    return await client.state(category, id);
  } catch (error) {
    if (error instanceof Fault && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}
