/** Reads an agent's session as SWE-agent writes it: what it was told, its steps, how it ended. */
import { BadRow } from "./bad-row.ts";
import { textIn } from "./columns.ts";
import type { Fields } from "./read-rows.ts";
import { ImportRefused } from "./refused.ts";
import { linesOfRootLists } from "./root-lists.ts";

/** A JSON object. */
export type State = Readonly<Record<string, unknown>>;

/** One step of the trajectory. */
export interface SessionStep {
  /** Of the file, from 1: where the step begins. */
  readonly line: number;
  /** In the trajectory, from 1. */
  readonly number: number;
  readonly thought?: string;
  readonly action: string;
  readonly observation?: string;
  /** What the agent saw when it decided. */
  readonly stateBefore?: State;
  /** What the action led to. */
  readonly stateAfter?: State;
}

/** How a session ended. */
export interface SessionEnd {
  readonly exitStatus?: string;
  readonly submission?: string;
  readonly modelStats?: State;
}

/** A session. */
export interface Session {
  readonly model?: string;
  readonly environment?: string;
  readonly goal?: string;
  readonly steps: readonly SessionStep[];
  readonly end: SessionEnd;
  /** Of all steps, the bad ones included. */
  readonly total: number;
}

/** Reads one. @throws ImportRefused when the text is no session. */
export function readSession(text: string, onProblem: (line: number, reason: string) => void): Session {
  const root = parse(text);
  const { trajectory, history, environment, info } = root;
  if (!Array.isArray(trajectory)) throw new ImportRefused('it has no list "trajectory": it is no session of SWE-agent');
  const lines = linesOfRootLists(text).trajectory ?? [];
  const steps = trajectory.flatMap((step: unknown, index) => {
    const line = lines[index] ?? 1;
    try {
      return readStep(step, { line, number: index + 1 });
    } catch (error) {
      if (!(error instanceof BadRow)) throw error;
      onProblem(line, `step ${index + 1}: ${error.message}`);
      return [];
    }
  });
  const model = modelIn(root);
  const goal = goalIn(history);
  return {
    ...(model !== undefined && { model }),
    ...(typeof environment === "string" && { environment }),
    ...(goal !== undefined && { goal }),
    steps,
    end: endIn(info),
    total: trajectory.length,
  };
}

function parse(text: string): Fields {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    throw new ImportRefused(`it is not readable as JSON: ${(error as Error).message}`);
  }
  if (!isObject(root)) throw new ImportRefused("it is no JSON object");
  return root;
}

/** @throws BadRow */
function readStep(step: unknown, place: Pick<SessionStep, "line" | "number">): SessionStep {
  if (!isObject(step)) throw new BadRow("not a JSON object");
  const thought = textIn(step, ["thought"]);
  const observation = textIn(step, ["observation"]);
  return {
    ...place,
    ...(thought !== undefined && { thought }),
    action: textIn(step, ["action"]) ?? "",
    ...(observation !== undefined && { observation }),
    ...stateIn(step),
  };
}

/**
 * SWE-agent up to 0.7 writes the state as a text, taken before the agent decides; from 1.0 on as an object, taken after
 * the action. Nothing in the file says so, but the form does.
 */
function stateIn({ state }: Fields): Pick<SessionStep, "stateBefore" | "stateAfter"> {
  if (state === undefined || state === null || state === "") return {};
  if (isObject(state)) return { stateAfter: state };
  const read = typeof state === "string" ? parsedOrNone(state) : undefined;
  if (!isObject(read)) throw new BadRow("its state is no JSON object");
  return { stateBefore: read };
}

function parsedOrNone(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the agent was told first that was not a demonstration. */
function goalIn(history: unknown): string | undefined {
  const messages = Array.isArray(history) ? history.filter(isObject) : [];
  const told = messages.find(({ role, is_demo }) => role === "user" && is_demo !== true);
  return told === undefined ? undefined : contentOf(told.content);
}

/** A text, or a list of parts of which some are texts. */
function contentOf(content: unknown): string | undefined {
  if (typeof content === "string") return content;
  const parts = Array.isArray(content) ? content.filter(isObject) : [];
  const texts = parts.flatMap(({ text }) => (typeof text === "string" ? [text] : []));
  return texts.length === 0 ? undefined : texts.join("\n");
}

/** The replay config, where there is one, is an object or its JSON. */
function modelIn({ replay_config: config }: Fields): string | undefined {
  const read = typeof config === "string" ? parsedOrNone(config) : config;
  const agent = isObject(read) ? read.agent : undefined;
  const model = isObject(agent) ? agent.model : undefined;
  const name = isObject(model) ? (model.name ?? model.model_name) : undefined;
  return typeof name === "string" && name !== "" ? name : undefined;
}

function endIn(info: unknown): SessionEnd {
  if (!isObject(info)) return {};
  const { exit_status: exitStatus, submission, model_stats: modelStats } = info;
  return {
    ...(typeof exitStatus === "string" && exitStatus !== "" && { exitStatus }),
    ...(typeof submission === "string" && submission !== "" && { submission }),
    ...(isObject(modelStats) && { modelStats }),
  };
}

function isObject(value: unknown): value is State {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
