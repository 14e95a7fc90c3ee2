/** Turns an agent's session into commands: what was decided, what was called and came back, how the state changed. */
import { patchBetween } from "../../merge-patch.ts";
import type { Session, SessionEnd, SessionStep, State } from "./agent-sessions-read.ts";
import { cut, LargeText } from "./large-texts.ts";

/** A command of `agent-session`. Its data may hold large texts, whose place references take before it is sent. */
export interface SessionCommand {
  readonly type: string;
  readonly data: State;
  /** Of the file: where the step begins that it comes from. */
  readonly line: number;
}

/** The most characters of a text in an event, and what is left of a longer one beside its reference. */
const maxCharacters = 32_768;
const excerptCharacters = 8_192;

/** The most characters of a text in the working state, which every checkpoint holds anew. */
const maxStateCharacters = 4_096;

const maxToolCharacters = 128;
const maxReasonCharacters = 4_096;

/** What StartSession says, without where it comes from. */
export function sessionStart({ model, goal, steps }: Session): State {
  const workingState = patchBetween({}, steps[0]?.stateBefore ?? {});
  return {
    agent: model === undefined ? "SWE-agent" : `SWE-agent/${model}`.slice(0, 256),
    ...(goal !== undefined && { goal: cut(goal, maxCharacters) }),
    ...(Object.keys(workingState).length > 0 && { workingState: withReferences(workingState) }),
  };
}

/** What follows, in order, always the same for the same session. */
export function sessionCommands({ steps, end }: Session): SessionCommand[] {
  let state: State = steps[0]?.stateBefore ?? {};
  const changeTo = (after: State | undefined, line: number): SessionCommand[] => {
    const patch = patchBetween(patchBetween({}, state), after ?? state);
    state = after ?? state;
    return Object.keys(patch).length === 0
      ? []
      : [{ type: "ChangeState", data: { patch: withReferences(patch) }, line }];
  };
  const made = steps.flatMap((step) => [
    ...changeTo(step.stateBefore, step.line),
    ...stepCommands(step),
    ...changeTo(step.stateAfter, step.line),
  ]);
  return [...made, { ...ending(end), line: steps.at(-1)?.line ?? 1 }];
}

function stepCommands({ number, line, thought, action, observation }: SessionStep): SessionCommand[] {
  const id = `step-${number}`;
  const decided = { decisionId: id, ...(thought !== undefined && { thought: cut(thought, maxCharacters) }) };
  const decision = { type: "RecordDecision", data: { ...decided, action: cut(action, maxCharacters) }, line };
  const { tool, input } = callOf(action);
  if (action === "" && observation === undefined) return [decision];
  const call = { callId: id, tool, ...held("input", input), decisionId: id };
  const result = { callId: id, ...held("output", observation ?? "") };
  return [decision, { type: "CallTool", data: call, line }, { type: "RecordToolResult", data: result, line }];
}

/** Actions are command lines: the first word is the tool. What comes back on no action, the environment says. */
function callOf(action: string): { readonly tool: string; readonly input: string } {
  const line = action.trim();
  const [word = ""] = line.split(/\s/, 1);
  const tool = word.replace(/\p{Cc}/gu, "").slice(0, maxToolCharacters);
  return { tool: tool === "" || tool === "__proto__" ? "environment" : tool, input: line.slice(word.length).trim() };
}

/** A text under a name; a long one as its beginning and, under `<name>Ref`, the whole. */
function held(name: string, text: string): State {
  if (text.length <= maxCharacters) return { [name]: text };
  return { [name]: cut(text, excerptCharacters), [`${name}Ref`]: new LargeText(text) };
}

function withReferences(state: State): State {
  const entries = Object.entries(state).map(([name, value]) => [name, withReference(value)] as const);
  return Object.fromEntries(entries);
}

function withReference(value: unknown): unknown {
  if (typeof value === "string") return value.length <= maxStateCharacters ? value : new LargeText(value);
  if (Array.isArray(value)) return value.map(withReference);
  return typeof value === "object" && value !== null ? withReferences(value as State) : value;
}

/** Whoever was stopped before they submitted has failed; what was submitted nevertheless is a result. */
function ending({ exitStatus, submission, modelStats }: SessionEnd): Omit<SessionCommand, "line"> {
  const isDone = exitStatus === undefined || exitStatus.startsWith("submitted") || submission !== undefined;
  if (!isDone) return { type: "FailSession", data: { reason: exitStatus.slice(0, maxReasonCharacters) } };
  const result = {
    ...(exitStatus !== undefined && { exitStatus }),
    ...(submission !== undefined && { submission: cut(submission, maxCharacters) }),
    ...(modelStats !== undefined && { modelStats }),
  };
  const isWhole = submission === undefined || submission.length <= maxCharacters;
  return {
    type: "CompleteSession",
    data: {
      ...(Object.keys(result).length > 0 && { result }),
      ...(!isWhole && { resultRef: new LargeText(submission) }),
    },
  };
}
