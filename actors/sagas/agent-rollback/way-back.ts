/** What a roll-back knows of its failure, and what it takes from events. */
import type { Correlate, SagaEventOf, SagaReplies } from "retrace";
import type { agentSession } from "../../../schemas/agent-session.ts";
import { shortened } from "../../instance-id.ts";
import type { Settings } from "./settings.ts";

type EventOf<Type extends keyof (typeof agentSession)["events"] & string> = SagaEventOf<
  typeof agentSession,
  Type,
  Settings
>;

/** What begins it. */
type Failure = EventOf<"ToolReturned" | "DecisionRejected">;

/** What the chart takes. */
export type RollbackEvent =
  | Failure
  | EventOf<"SessionRolledBack" | "StepCompensated" | "CompensationFailed">
  | SagaReplies<Settings>;

/** The context of the chart. */
export interface Rollback {
  readonly session: string;
  /** The version of the event that says what failed. */
  readonly cause: number;
  /** For people: what failed; when it could not be rolled back, why. */
  readonly reason: string;
  readonly toCheckpoint: string | null;
  /** Calls that are still to be undone, the newest first: the first of them is being undone. */
  readonly owed: readonly string[];
  /** Of the first. */
  readonly attempts: number;
  readonly compensated: readonly string[];
  readonly notUndone: readonly NotUndone[];
}

/** A call that stays as it is, and why. */
export interface NotUndone {
  readonly callId: string;
  readonly reason: string;
}

/** Before anything is known. */
export const newRollback: Rollback = {
  session: "",
  cause: 0,
  reason: "",
  toCheckpoint: null,
  owed: [],
  attempts: 0,
  compensated: [],
  notUndone: [],
};

/** A failure that nobody has dealt with yet; what an import brings is history, also where it bears no times. */
export const byFailure: Correlate<Settings> = ({ stream, category, version, type, data }, { settings }) => {
  const { error, tool, rolledBack, sourceLine } = data as Partial<EventOf<"ToolReturned">["data"]>;
  if (rolledBack === true || sourceLine !== undefined) return undefined;
  const hasFailed = error !== undefined && error !== null && !settings.ignoredTools.includes(tool ?? "");
  const concerns = type === "ToolReturned" ? settings.onToolFailure && hasFailed : settings.onRejection;
  return concerns ? rollbackOf(stream.slice(category.length + 1), version) : undefined;
};

/** By the failure that an event names as its cause. */
export const byCause: Correlate<Settings> = ({ stream, category, data }) => {
  const { cause } = data as { readonly cause?: number };
  return cause === undefined ? undefined : rollbackOf(stream.slice(category.length + 1), cause);
};

/** One for each failure. */
function rollbackOf(session: string, cause: number): string {
  const failure = `~${cause}`;
  return shortened(session, failure.length) + failure;
}

/** What a failure says of itself. */
export function fromFailure(event: Failure): Partial<Rollback> {
  const { streamId: session, version: cause } = event;
  return { session, cause, reason: whyIn(event) };
}

function whyIn(event: Failure): string {
  if (event.type === "DecisionRejected") {
    const { decisionId, by, reason } = event.data;
    return bounded(`decision ${decisionId} was rejected${by === undefined ? "" : ` by ${by}`}${behindColon(reason)}`);
  }
  const { callId, tool, error } = event.data;
  const what = typeof error === "string" ? error : JSON.stringify(error);
  return bounded(`${tool ?? "a tool"} failed in call ${callId}${behindColon(what)}`);
}

function behindColon(text: string | undefined): string {
  return text === undefined || text === "" ? "" : `: ${text}`;
}

/** What a roll-back leaves to do, and what nobody can do. */
export function fromRollback({ data }: EventOf<"SessionRolledBack">): Partial<Rollback> {
  const { toCheckpoint, toCompensate = [], notCompensable = [] } = data;
  const notUndone = notCompensable.map((callId) => ({ callId, reason: "nobody has said how to undo it" }));
  return { toCheckpoint, owed: toCompensate, notUndone };
}

/** Quoted texts are cut: a roll-back may have two thousand of them. */
export function bounded(text: string): string {
  return text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength - 1)}…`;
}

const maxTextLength = 500;

/** How a roll-back ends. Its events are in the session; of many calls the first hundred are named. */
export function outputOf({ session, cause, reason, toCheckpoint, compensated, notUndone }: Rollback) {
  return {
    session,
    cause,
    reason,
    toCheckpoint,
    compensated: compensated.length,
    notUndone: notUndone.slice(0, maxNamed),
    notUndoneCount: notUndone.length,
  };
}

const maxNamed = 100;
