/** Serving requests on the broker: subscriptions on one side, plain functions on the other. */
import type { Msg, NatsConnection, Subscription } from "@nats-io/nats-core";
import { Fault } from "../core/fault.ts";
import { type CommandRequest, decodeBody, parseCommandRequest, type RequestContext } from "./command-request.ts";
import type { CommandReply } from "./replies.ts";
import { respond, respondFault } from "./reply.ts";

/** Several runtimes on one broker share the requests. */
const queue = "retrace";

/** What answers commands. */
export interface CommandServer extends RequestContext {
  readonly nats: NatsConnection;
  /** Called once per request that passes its checks; `settle` sends the reply. */
  readonly submit: (request: CommandRequest, settle: (outcome: CommandReply | Fault) => void) => void;
  /** Logs it, and returns the id under which it is found there. */
  readonly onBug: (error: unknown, subject: string) => string;
}

/** Takes commands on `<prefix>.cmd.>`. */
export function serveCommands(server: CommandServer): Subscription {
  const take = (message: Msg): void => {
    try {
      const request = parseCommandRequest(message, server);
      server.submit(request, (outcome) => reply(server, message, outcome));
    } catch (error) {
      reply(server, message, asFault(error, message, server.onBug));
    }
  };
  return server.nats.subscribe(`${server.prefix}.cmd.>`, {
    queue,
    callback: (error, message) => {
      if (error === null) take(message);
    },
  });
}

/** What answers queries. */
export interface QueryServer {
  readonly nats: NatsConnection;
  readonly prefix: string;
  /** Called with the last part of the subject. */
  readonly answer: (name: string, body: unknown) => Promise<unknown>;
  /** Logs it, and returns the id under which it is found there. */
  readonly onBug: (error: unknown, subject: string) => string;
}

/** Takes queries on `<prefix>.qry.>`. */
export function serveQueries(server: QueryServer): Subscription {
  const start = `${server.prefix}.qry.`.length;
  const take = async (message: Msg): Promise<void> => {
    try {
      const body = decodeBody(message, "INVALID_QUERY");
      reply(server, message, await server.answer(message.subject.slice(start), body));
    } catch (error) {
      reply(server, message, asFault(error, message, server.onBug));
    }
  };
  return server.nats.subscribe(`${server.prefix}.qry.>`, {
    queue,
    callback: (error, message) => {
      if (error === null) void take(message);
    },
  });
}

function asFault(error: unknown, message: Msg, onBug: (error: unknown, subject: string) => string): Fault {
  if (error instanceof Fault) return error;
  const correlationId = onBug(error, message.subject);
  const text = `the request failed because of a bug; see the runtime's log under ${correlationId}`;
  return new Fault("INTERNAL", text, { correlationId });
}

/** A reply that cannot be sent (the connection is gone) must not take the others down. */
function reply({ nats, onBug }: CommandServer | QueryServer, message: Msg, outcome: unknown): void {
  try {
    if (outcome instanceof Fault) respondFault(message, outcome);
    else respond(message, outcome, nats.info?.max_payload ?? Number.POSITIVE_INFINITY);
  } catch (error) {
    onBug(error, message.subject);
  }
}
