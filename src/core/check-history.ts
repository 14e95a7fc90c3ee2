/**
 * Would a stored event still be read by the code at hand? Stricter than folding: data that the schema refuses is found,
 * too, because it says that a field has lost its meaning on the way.
 */
import { type Aggregate, evolve, type Refusal } from "./aggregate.ts";
import { type ChartState, initialState } from "./chart.ts";
import { type ReadEvent, readEvent } from "./history.ts";
import type { RecordedEvent } from "./message.ts";
import { type Issue, issuesOf } from "./schema.ts";

/** Why a stored event breaks its stream: the stable part, for programs. */
export type BreakReason =
  | "UNKNOWN_CATEGORY"
  | Extract<ReadEvent, { outcome: "unreadable" }>["reason"]
  | "SCHEMA_REFUSES"
  | "CHART_REFUSES"
  | "SAGA_DIFFERS"
  | "CODE_THROWS";

/** What is wrong with one stored event. */
export interface Break {
  readonly reason: BreakReason;
  /** A sentence for people. */
  readonly message: string;
  /** What else there is to know: what the chart accepts, the part that refuses, the issues of the schema. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** The state after a stored event, or what breaks there. */
export type Checked<State> = { readonly outcome: "holds"; readonly state: State } | BrokenEvent;

/** A stored event that breaks its stream. */
export interface BrokenEvent extends Break {
  readonly outcome: "breaks";
}

/**
 * How the code at hand reads the streams of one category. Aggregates have the one below; another kind of stream needs
 * nothing but another reader.
 */
export interface StreamReader<State = unknown> {
  /** Of the empty stream. */
  readonly initial: State;
  read(state: State, event: RecordedEvent): Checked<State>;
  /** A state as people and programs know it: its value, without the context. */
  show(state: State): unknown;
}

/** Reads the streams of an aggregate: upcasters, then the schema, then the chart. */
export function aggregateReader(aggregate: Aggregate): StreamReader<ChartState> {
  return {
    initial: initialState(aggregate.machine),
    read: (state, event) => checkEvent(aggregate, state, event),
    show: (state) => state.value,
  };
}

function checkEvent(aggregate: Aggregate, state: ChartState, stored: RecordedEvent): Checked<ChartState> {
  const read = readEvent(aggregate, stored);
  if (read.outcome === "unreadable") return broken(read.reason, read.message);
  const { event, schema } = read;
  try {
    const parsed = schema.schema.safeParse(event.data);
    if (!parsed.success) return misfit(schema.version, issuesOf(parsed.error));
    const next = evolve(aggregate, state, event);
    return next.outcome === "evolved" ? { outcome: "holds", state: next.state } : refused(next);
  } catch (error) {
    return broken("CODE_THROWS", `reading it throws: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const maxIssues = 10;

function misfit(version: number, all: readonly Issue[]): BrokenEvent {
  const issues = all.slice(0, maxIssues);
  const listed = issues.map(({ path, message }) => `${path || "the whole"}: ${message}`).join("; ");
  return broken("SCHEMA_REFUSES", `its data does not fit schema version ${version}: ${listed}`, { issues });
}

function refused({ event, state, accepts, part }: Refusal): BrokenEvent {
  const who = part === undefined ? "the chart" : `${part.name} ${part.key}, in ${JSON.stringify(state)},`;
  const instead = accepts.length === 0 ? ", nor anything else" : `; it accepts ${accepts.join(", ")}`;
  const isGuarded = accepts.includes(event);
  const message = isGuarded ? `${who} has a guard that refuses it` : `${who} does not accept it${instead}`;
  return broken("CHART_REFUSES", message, { accepts, ...(part && { part: { ...part, state } }) });
}

function broken(reason: BreakReason, message: string, details: Break["details"] = {}): BrokenEvent {
  return { outcome: "breaks", reason, message, details };
}
