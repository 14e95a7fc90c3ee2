/** `retry`, `skip` and `resolve`: a person helps a saga that cannot go on. */
import { z } from "zod";
import { Fault } from "../../core/fault.ts";
import { id } from "../queries/fields.ts";
import { type Query, query } from "../queries/query.ts";
import { assertKnown } from "../queries/sagas.ts";
import type { Instance } from "../sagas/instance.ts";
import type { LoadedSaga } from "../sagas/loaded-saga.ts";
import type { Reaction } from "../sagas/reaction.ts";
import type { Reactor } from "../sagas/reactor.ts";

/** What each of the three is asked with. */
export const body = z.strictObject({
  saga: z.string().max(64),
  id,
  /** Who helps, for the saga's history. */
  by: z.string().min(1).max(256),
  reason: z.string().min(1).max(4096).optional(),
});

/** What came of it. */
export interface HelpReply {
  readonly saga: string;
  readonly id: string;
  readonly status: "running" | "stuck" | "ended";
  readonly state: unknown;
  /** Of the saga's stream. */
  readonly version: number;
}

type Verb = "retry" | "skip" | "resolve";

/** Makes the three. Refused with NOT_FOUND, and with REJECTED: NOT_STUCK. */
export function helpSaga(reactor: Reactor, sagas: ReadonlyMap<string, LoadedSaga>): Query[] {
  return (["retry", "skip", "resolve"] as const).map((verb) =>
    query(verb, body, (request) => reactor.transaction((reaction) => help(reaction, verb, request, sagas)), {
      invalid: "INVALID_COMMAND",
    }),
  );
}

function help(
  reaction: Reaction,
  verb: Verb,
  { saga, id: instanceId, by, reason }: z.output<typeof body>,
  sagas: ReadonlyMap<string, LoadedSaga>,
): HelpReply {
  const instance = reaction.find(assertKnown(saga, sagas), instanceId);
  if (instance === undefined) throw notThere(saga, instanceId);
  const words = { by, ...(reason !== undefined && { reason }) };
  if (verb === "resolve") reaction.resolve(instance, words);
  else if (instance.stuck === undefined) throw notStuck(verb, instance);
  else reaction.resume(instance, { how: verb === "retry" ? "retried" : "skipped", ...words });
  const status = instance.isEnded ? "ended" : instance.stuck === undefined ? "running" : "stuck";
  return { saga, id: instanceId, status, state: instance.state?.value ?? null, version: instance.version };
}

function notThere(saga: string, instanceId: string): Fault {
  const message = `no instance ${instanceId} of ${saga} is under way: it has not begun, or it has ended`;
  return new Fault("NOT_FOUND", message, { saga, id: instanceId });
}

function notStuck(verb: Verb, { loaded, id: instanceId, state }: Instance): Fault {
  const message = `${loaded.saga.name} ${instanceId} is not stuck: there is nothing to ${verb}; to end it, resolve it`;
  return new Fault("REJECTED", message, { reason: "NOT_STUCK", state: state?.value ?? null });
}
