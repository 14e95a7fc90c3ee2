/** What the commands and events of an agent session carry. */
import { z } from "zod";
import {
  count,
  identifier,
  importSource,
  json,
  jsonObject,
  key,
  nested,
  reference,
  sourceLine,
  streamId,
  text,
} from "./fields.ts";
import { sized } from "./sized.ts";

/**
 * Its own steps, as the agent or its provider names them: printable ASCII without quotes and backslashes, because the
 * event of a roll-back lists two thousand of them.
 */
const stepId = z
  .string()
  .min(1)
  .max(128)
  .regex(/^(?!__proto__$)[ !#-[\]-~]+$/, "printable ASCII without quotes and backslashes");

/** What an agent was told or thought: longer than what people write as a reason. */
const passage = z.string().max(65_536);

/** The working state, whole or as a patch. Large things belong elsewhere, and references to them here. */
const workingState = sized(65_536, jsonObject);

/** What a subscriber needs to undo a tool call; the state keeps it until that has happened. */
const compensation = sized(2_048, json);

/** In an import, the number of the command among those that the file gives: a session's file seldom has lines. */
const line = { sourceLine: sourceLine.optional() };

/** By what readers group: each event carries it. */
const about = { agent: identifier.optional() };

/**
 * Of a failure. Where a roll-back would go: the newest checkpoint that was marked before; and whether one has given the
 * step up already.
 */
const before = { checkpoint: key.optional(), rolledBack: z.boolean().optional() };

const start = {
  ...about,
  goal: passage.optional(),
  userId: identifier.optional(),
  /** Of a fork, what `SessionForked` says: the session and the version that it goes on from. */
  forkedFrom: nested({ session: streamId, version: count.optional() }).optional(),
  /** What it starts with; a fork starts with what its origin had at that version. */
  workingState: workingState.optional(),
  source: importSource.optional(),
};

const decision = { decisionId: stepId, thought: passage.optional(), action: json.optional(), ...line };

const refusal = { decisionId: stepId, by: identifier.optional(), reason: text.optional(), ...line };

/** RFC 7396: fields replace, null removes. */
const change = { patch: workingState, ...line };

const call = {
  callId: stepId,
  tool: key,
  input: json.optional(),
  inputRef: reference.optional(),
  /** How to undo it. `null`: there is nothing to undo. Left out: it cannot be undone. */
  compensation: compensation.optional(),
  decisionId: stepId.optional(),
  ...line,
};

/** Failed when there is an error. */
const result = {
  callId: stepId,
  output: json.optional(),
  outputRef: reference.optional(),
  error: json.optional(),
  ...line,
};

const checkpoint = { name: key, ...line };

const version = z.int().min(1);

/** The failure that a roll-back is for: the version of its event. What is undone because of it says so, too. */
const because = { cause: version.optional() };

const rollback = { reason: text.optional(), ...because, ...line };

const fork = { newSession: streamId, reason: text.optional(), ...line };

const completion = { result: json.optional(), resultRef: reference.optional(), ...line };

const ending = { reason: text.optional(), ...line };

/** Which tool a step belongs to; subscribers act on it. */
const ofTool = { tool: key.optional(), ...about };

export const agentSession = {
  commands: {
    StartSession: z.strictObject(start),
    RecordDecision: z.strictObject(decision),
    ChangeState: z.strictObject(change),
    CallTool: z.strictObject(call),
    RecordToolResult: z.strictObject(result),
    MarkCheckpoint: z.strictObject(checkpoint),
    RejectDecision: z.strictObject(refusal),
    /** To the checkpoint it names; without, to the newest that was marked before its cause, or to the newest of all. */
    RollBack: z.strictObject({ ...rollback, toCheckpoint: key.optional() }),
    /** By what the call said, unless it says how. */
    RequestCompensation: z.strictObject({ callId: stepId, compensation: compensation.optional(), ...line }),
    /** Failed when there is a reason. */
    RecordCompensation: z.strictObject({ callId: stepId, reason: text.min(1).optional(), ...line }),
    /** From now, unless it names an earlier version. */
    ForkSession: z.strictObject({ ...fork, fromVersion: version.optional() }),
    FailSession: z.strictObject(ending),
    CompleteSession: z.strictObject(completion),
  },
  events: {
    SessionStarted: z.looseObject(start),
    DecisionMade: z.looseObject({ ...decision, ...about }),
    DecisionRejected: z.looseObject({ ...refusal, ...before, ...about }),
    AgentStateChanged: z.looseObject({ ...change, ...about }),
    ToolCalled: z.looseObject({ ...call, ...about }),
    ToolReturned: z.looseObject({ ...result, ...before, ...ofTool }),
    CheckpointMarked: z.looseObject({ ...checkpoint, ...about }),
    SessionRolledBack: z.looseObject({
      ...rollback,
      toCheckpoint: key,
      toVersion: version,
      /** The calls made after the checkpoint that are still to be compensated and nobody's task yet, the newest first. */
      toCompensate: z.array(stepId).optional(),
      /** Those for which nobody knows how, the newest first. */
      notCompensable: z.array(stepId).optional(),
      ...about,
    }),
    CompensationRequested: z.looseObject({ callId: stepId, compensation, ...because, ...line, ...ofTool }),
    StepCompensated: z.looseObject({ callId: stepId, ...because, ...line, ...ofTool }),
    CompensationFailed: z.looseObject({ callId: stepId, reason: text.optional(), ...because, ...line, ...ofTool }),
    SessionForked: z.looseObject({ ...fork, fromVersion: version, ...about }),
    SessionCompleted: z.looseObject({ ...completion, ...about }),
    SessionFailed: z.looseObject({ ...ending, ...about }),
  },
};
