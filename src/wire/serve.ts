/** Serving requests on the broker: subscriptions on one side, plain functions on the other. */
import type { Msg, NatsConnection, Subscription } from "@nats-io/nats-core";
import { Fault } from "../core/fault.ts";
import { type CommandRequest, parseCommandRequest, type RequestContext } from "./command-request.ts";
import type { CommandReply } from "./replies.ts";
import { replyCodec, respond, respondFault } from "./reply.ts";

/** Several runtimes on one broker share the requests. */
const queue = "retrace";

/** What answers commands. */
export interface CommandServer extends RequestContext {
  readonly nats: NatsConnection;
  /** Called once per request that passes its checks; `settle` sends the reply. */
  readonly submit: (request: CommandRequest, settle: (outcome: CommandReply | Fault) => void) => void;
  readonly onBug: (error: unknown, subject: string) => void;
}

/** Takes commands on `<prefix>.cmd.>`. */
export function serveCommands(server: CommandServer): Subscription {
  const take = (message: Msg): void => {
    try {
      const request = parseCommandRequest(message, server);
      server.submit(request, (outcome) => reply(message, outcome, server.onBug));
    } catch (error) {
      reply(message, asFault(error, message, server.onBug), server.onBug);
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
  readonly onBug: (error: unknown, subject: string) => void;
}

/** Takes queries on `<prefix>.qry.>`. */
export function serveQueries(server: QueryServer): Subscription {
  const start = `${server.prefix}.qry.`.length;
  const take = async (message: Msg): Promise<void> => {
    try {
      const body = decodeQuery(message);
      reply(message, await server.answer(message.subject.slice(start), body), server.onBug);
    } catch (error) {
      reply(message, asFault(error, message, server.onBug), server.onBug);
    }
  };
  return server.nats.subscribe(`${server.prefix}.qry.>`, {
    queue,
    callback: (error, message) => {
      if (error === null) void take(message);
    },
  });
}

function decodeQuery(message: Msg): unknown {
  try {
    return replyCodec(message).decode(message.data);
  } catch (error) {
    const { message: text } = error as Error;
    throw new Fault("INVALID_QUERY", text, { issues: [{ path: "", message: text }] });
  }
}

function asFault(error: unknown, message: Msg, onBug: (error: unknown, subject: string) => void): Fault {
  if (error instanceof Fault) return error;
  onBug(error, message.subject);
  return new Fault("INTERNAL", "the request failed because of a bug; see the runtime's log");
}

/** A reply that cannot be sent (too large for the broker, connection gone) must not take the others down. */
function reply(message: Msg, outcome: unknown, onBug: (error: unknown, subject: string) => void): void {
  try {
    if (outcome instanceof Fault) respondFault(message, outcome);
    else respond(message, outcome);
  } catch (error) {
    onBug(error, message.subject);
  }
}
