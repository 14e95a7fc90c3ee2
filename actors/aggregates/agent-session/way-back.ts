/** The way back of an agent session: where a roll-back goes, what it gives up, and what is to be undone because of it. */
import { type CommandData, type EventData, type Rejection, reject } from "retrace";
import type { agentSession } from "../../../schemas/agent-session.ts";
import { type CallEntry, type Checkpoint, findCheckpoint, findFailure, type Ledger, type Step } from "./ledger.ts";

type Returned = EventData<typeof agentSession, "ToolReturned">;
type RolledBack = EventData<typeof agentSession, "SessionRolledBack">;
type Back = CommandData<typeof agentSession, "RollBack">;

/** Where a roll-back goes; nowhere when there is no such checkpoint. */
export function targetOf(context: Ledger, { toCheckpoint, cause }: Back): Checkpoint | undefined {
  if (toCheckpoint !== undefined) return findCheckpoint(context, toCheckpoint);
  if (cause === undefined) return context.checkpoints.at(-1);
  return checkpointBefore(context, findFailure(context, cause)?.version ?? 0);
}

/** Refuses a cause that is no failure, or that another roll-back has dealt with. */
export function whyNotBecause(context: Ledger, cause: number): Rejection | undefined {
  const failure = findFailure(context, cause);
  if (failure === undefined) {
    const message = `nothing has failed or was rejected at version ${cause}; name the version of such an event, or none`;
    return reject("UNKNOWN_CAUSE", message, { cause });
  }
  if (failure.rolledBack !== true) return undefined;
  const message = `what failed at version ${cause} was given up by another roll-back; there is nothing to do`;
  return reject("ALREADY_ROLLED_BACK", message, { cause });
}

/** Refuses a roll-back that has nowhere to go. */
export function unknownCheckpoint({ checkpoints }: Ledger, { toCheckpoint: name, cause }: Back): Rejection {
  const known = checkpoints.map((checkpoint) => checkpoint.name);
  const when = cause === undefined ? "" : ` before what failed at version ${cause}`;
  const what = name === undefined ? `no checkpoint${when}` : `no checkpoint ${name}`;
  const message = `this session has ${what} to go back to; known are: ${known.join(", ") || "none"}`;
  return reject("UNKNOWN_CHECKPOINT", message, { toCheckpoint: name ?? null, known });
}

/** The newest checkpoint that was marked before a version. */
function checkpointBefore({ checkpoints }: Ledger, version: number): Checkpoint | undefined {
  return checkpoints.findLast((checkpoint) => checkpoint.version < version);
}

/** What the event of a failure says of the way back. */
export function wayBack(ledger: Ledger, { version, rolledBack }: Step): Pick<Returned, "checkpoint" | "rolledBack"> {
  const checkpoint = checkpointBefore(ledger, version)?.name;
  return { ...(checkpoint !== undefined && { checkpoint }), ...(rolledBack === true && { rolledBack }) };
}

/** The steps after a roll-back: those made since its checkpoint are given up, and what is owed of them belongs to its cause. */
export function giveUp(
  { calls, decisions }: Ledger,
  toVersion: number,
  { cause }: RolledBack,
): Pick<Ledger, "calls" | "decisions"> {
  const isOwed = (call: CallEntry): boolean => cause !== undefined && isOpen(call) && call.cause === undefined;
  return {
    calls: calls.map((call) => {
      if (call.version <= toVersion) return call;
      return { ...call, rolledBack: true, ...(isOwed(call) && cause !== undefined && { cause }) };
    }),
    decisions: decisions.map((made) => (made.version > toVersion ? { ...made, rolledBack: true } : made)),
  };
}

/** What is still to be undone of the calls after a version, the newest first, and what nobody knows how to undo. */
export function owedSince(
  { calls }: Ledger,
  version: number,
): Required<Pick<RolledBack, "toCompensate" | "notCompensable">> {
  const open = calls.filter((call) => call.version > version && isOpen(call) && call.cause === undefined).reverse();
  const canBeUndone = ({ compensation }: CallEntry) => compensation !== undefined && compensation !== null;
  return {
    toCompensate: open.filter(canBeUndone).map(({ callId }) => callId),
    notCompensable: open.filter(({ compensation }) => compensation === undefined).map(({ callId }) => callId),
  };
}

function isOpen({ state }: CallEntry): boolean {
  return state !== "compensationRequested" && state !== "compensated";
}
