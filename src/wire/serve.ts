/** Serving requests on the broker: subscriptions on one side, plain functions on the other. */
import type { Msg, NatsConnection, Subscription } from "@nats-io/nats-core";
import { Fault } from "../core/fault.ts";
import { bulkEntries, parseBulkEntry } from "./bulk-request.ts";
import {
  type CommandRequest,
  decodeAnyBody,
  decodeBody,
  parseCommandRequest,
  type RequestContext,
} from "./command-request.ts";
import { EndpointStats } from "./endpoint-stats.ts";
import type { BulkReply, CommandReply } from "./replies.ts";
import { respond, respondFault } from "./reply.ts";
import { bulkSubject } from "./subjects.ts";

/** Several runtimes on one broker share the requests. */
export const queueGroup = "retrace";

/** What every endpoint works with. */
export interface Server {
  readonly nats: NatsConnection;
  readonly prefix: string;
  /** Logs it, and returns the id under which it is found there. */
  readonly onBug: (error: unknown, subject: string) => string;
}

/** What answers commands. */
export interface CommandServer extends Server, RequestContext {
  /** Called once per request that passes its checks; `settle` sends the reply. */
  readonly submit: (request: CommandRequest, settle: (outcome: CommandOutcome) => void) => void;
}

/** What answers queries. */
export interface QueryServer extends Server {
  /** Called with the last part of the subject. */
  readonly answer: (name: string, body: unknown) => Promise<unknown>;
}

/** A subject that is served, and what became of its requests. */
export interface Endpoint {
  readonly name: string;
  readonly subject: string;
  readonly stats: EndpointStats;
  readonly subscription: Subscription;
}

type CommandOutcome = CommandReply | Fault;

/** Takes commands on `<prefix>.cmd.>`. */
export function serveCommands(server: CommandServer): Endpoint {
  return listen(server, "commands", `${server.prefix}.cmd.>`, (message, answer) => {
    server.submit(parseCommandRequest(message, server), answer);
  });
}

/** Takes many commands at a time on `<prefix>.bulk`. */
export function serveBulk(server: CommandServer): Endpoint {
  return listen(server, "bulk", bulkSubject(server.prefix), (message, answer) => {
    submitAll(bulkEntries(message), message, { server, answer });
  });
}

/** Takes queries on `<prefix>.qry.>`. */
export function serveQueries(server: QueryServer): Endpoint {
  const start = `${server.prefix}.qry.`.length;
  return listen(server, "queries", `${server.prefix}.qry.>`, async (message, answer) => {
    const body = decodeBody(message, "INVALID_QUERY");
    answer(await server.answer(message.subject.slice(start), body));
  });
}

/** Takes what changes the running system on `<prefix>.adm.>`. */
export function serveAdmin(server: QueryServer): Endpoint {
  const start = `${server.prefix}.adm.`.length;
  return listen(server, "admin", `${server.prefix}.adm.>`, async (message, answer) => {
    const body = decodeAnyBody(message, "INVALID_COMMAND");
    answer(await server.answer(message.subject.slice(start), body));
  });
}

type Answer = (outcome: unknown) => void;

/** `take` calls `answer` once, now or later; what it throws is the answer otherwise. */
function listen(
  server: Server,
  name: string,
  subject: string,
  take: (message: Msg, answer: Answer) => void | Promise<void>,
): Endpoint {
  const stats = new EndpointStats();
  const subscription = server.nats.subscribe(subject, {
    queue: queueGroup,
    callback: (error, message) => {
      if (error !== null) return;
      const from = performance.now();
      const answer: Answer = (outcome) => {
        stats.add(performance.now() - from, outcome instanceof Fault ? outcome : undefined);
        reply(server, message, outcome);
      };
      try {
        const taken = take(message, answer);
        if (taken !== undefined) taken.catch((failed: unknown) => answer(asFault(failed, message, server)));
      } catch (failed) {
        answer(asFault(failed, message, server));
      }
    },
  });
  return { name, subject, stats, subscription };
}

interface BulkAnswer {
  readonly server: CommandServer;
  readonly answer: Answer;
}

function submitAll(entries: readonly unknown[], message: Msg, { server, answer }: BulkAnswer): void {
  const outcomes: CommandOutcome[] = [];
  let open = entries.length;
  /** What stops one command stops all behind it: they would overtake it on its stream. */
  let stopped: Fault | undefined;
  for (const [i, entry] of entries.entries()) {
    const settle = (outcome: CommandOutcome): void => {
      outcomes[i] = outcome;
      if (outcome instanceof Fault && isTurnedAway(outcome)) stopped = outcome;
      open -= 1;
      if (open === 0) answer(bulkReply(outcomes));
    };
    if (stopped === undefined) submitEntry(entry, message, { server, settle });
    else settle(stopped);
  }
}

interface EntryAnswer {
  readonly server: CommandServer;
  readonly settle: (outcome: CommandOutcome) => void;
}

function submitEntry(entry: unknown, message: Msg, { server, settle }: EntryAnswer): void {
  let request: CommandRequest;
  try {
    request = parseBulkEntry(entry, message.data.length, server);
  } catch (error) {
    settle(asFault(error, message, server));
    return;
  }
  server.submit(request, settle);
}

/** Before it was looked at: it may be sent again, and whatever follows it has to wait. */
function isTurnedAway({ code }: Fault): boolean {
  return code === "OVERLOADED" || code === "SHUTTING_DOWN";
}

function bulkReply(outcomes: readonly CommandOutcome[]): BulkReply {
  return { replies: outcomes.map((outcome) => (outcome instanceof Fault ? outcome.toBody() : outcome)) };
}

function asFault(error: unknown, { subject }: Msg, { onBug }: Server): Fault {
  if (error instanceof Fault) return error;
  const correlationId = onBug(error, subject);
  const text = `the request failed because of a bug; see the runtime's log under ${correlationId}`;
  return new Fault("INTERNAL", text, { correlationId });
}

/** A reply that cannot be sent (the connection is gone) must not take the others down. */
function reply({ nats, onBug }: Server, message: Msg, outcome: unknown): void {
  try {
    if (outcome instanceof Fault) respondFault(message, outcome);
    else respond(message, outcome, nats.info?.max_payload ?? Number.POSITIVE_INFINITY);
  } catch (error) {
    onBug(error, message.subject);
  }
}
