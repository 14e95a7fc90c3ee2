/**
 * Sagas: statecharts with durable timers that listen to the log and act on it. A saga's effects are data: the commands
 * it sends, the questions it asks and the timers it sets are what its chart's actions return, and the runtime commits
 * them together with the saga's own event. So a chart stays pure, and what is drawn in it survives a crash.
 */
import {
  type ActionFunction,
  type AnyStateMachine,
  type EventObject,
  enqueueActions,
  type MachineContext,
} from "xstate";
import type { z } from "zod";
import type { Actor, RecordedEvent } from "./message.ts";
import type { EventData, Schemas } from "./schema.ts";

/** What every input of a saga's chart carries: when the step was made, and the settings it was made under. */
export interface StepInfo<Settings = unknown> {
  /** The time of the step, ISO 8601: the only clock a chart has. */
  readonly now: string;
  /** From the policy stream of the saga's name, completed by the saga's defaults. */
  readonly settings: Settings;
  /** Of that stream; 0 is the saga's defaults. There on every input, whatever raised it. */
  readonly policyVersion?: number;
}

/** A recorded event as a saga's chart receives it: its data at the latest version. */
export interface SagaEvent<Type extends string = string, Data = unknown, Settings = unknown>
  extends StepInfo<Settings> {
  readonly type: Type;
  readonly data: Data;
  readonly id: string;
  readonly position: number;
  readonly stream: string;
  readonly category: string;
  /** The id of the aggregate, without its category. */
  readonly streamId: string;
  readonly version: number;
  readonly occurredAt: string;
  readonly recordedAt: string;
  readonly correlationId: string;
  readonly actor: Actor | undefined;
}

/** The events of some schemas, as a saga's chart receives them: for the `events` type of the machine's `setup`. */
export type SagaEventOf<S extends Schemas, Types extends keyof S["events"] & string, Settings = unknown> = {
  [Type in Types]: SagaEvent<Type, EventData<S, Type>, Settings>;
}[Types];

/** A command that the saga sent was refused: it comes back, so that the saga can compensate. */
export interface SagaCommandRejected<Settings = unknown> extends StepInfo<Settings> {
  readonly type: "SagaCommandRejected";
  readonly data: RejectedCommand;
}

/** A command and why it was refused. */
export interface RejectedCommand {
  readonly command: SagaCommand;
  /** A code of the protocol: REJECTED, NOT_ALLOWED_IN_STATE, INVALID_COMMAND and so on. */
  readonly code: string;
  /** The aggregate's own code, of REJECTED. */
  readonly reason?: string;
  readonly message: string;
}

/** The answer to a question the saga asked. */
export interface SagaAnswered<Settings = unknown> extends StepInfo<Settings> {
  readonly type: "SagaAnswered";
  readonly data: Answer;
}

/** A question with what the projection held. */
export interface Answer {
  readonly question: Question;
  /** Of the log: the rows hold what had happened by then. */
  readonly position: number;
  /** In key order, or in that of the keys asked for; those that are not there are left out. */
  readonly rows: readonly { readonly key: string; readonly value: unknown }[];
}

/** What comes back from a saga's own effects, for the `events` type of the machine's `setup`. */
export type SagaReplies<Settings = unknown> = SagaCommandRejected<Settings> | SagaAnswered<Settings>;

/** A command that a saga sends: its address and its body. */
export interface SagaCommand {
  readonly category: string;
  readonly id: string;
  readonly type: string;
  readonly data?: unknown;
}

/** What a saga asks a projection: rows by their keys, or the first rows whose keys begin with a prefix. */
export interface Question {
  readonly projection: string;
  readonly keys?: readonly string[];
  readonly prefix?: string;
  /** With a prefix: the rows behind this key, for those who ask page by page. */
  readonly after?: string;
  /** Of rows, with a prefix. Default: 100. */
  readonly limit?: number;
}

/** What an action sees. */
export interface EffectArgs<Context extends MachineContext, Event extends EventObject> {
  readonly context: Context;
  readonly event: Event;
}

/** An action of XState that does nothing but enqueue an effect. */
export type EffectAction<Context extends MachineContext, Event extends EventObject> = ActionFunction<
  Context,
  Event,
  // biome-ignore lint/suspicious/noExplicitAny: fits in any machine, as XState's own actions do
  any,
  undefined,
  never,
  never,
  never,
  never,
  never
>;

/** The types of the custom action objects that `send` and `ask` enqueue. */
export const sendType = "retrace.send";
export const askType = "retrace.ask";

/** Sends a command, or several in order, or none. It is decided in the transaction of the step that sends it. */
export function send<Context extends MachineContext, Event extends EventObject>(
  category: string,
  make: (args: EffectArgs<Context, Event>) => Sent | readonly Sent[] | undefined,
): EffectAction<Context, Event> {
  return effect<Context, Event>((args) =>
    [make(args) ?? []].flat().map((command) => ({ type: sendType, params: { category, ...command } })),
  );
}

type Sent = Omit<SagaCommand, "category">;

/** Asks a projection; the answer comes as `SagaAnswered`, from the rows as of the saga's own position in the log. */
export function ask<Context extends MachineContext, Event extends EventObject>(
  projection: string,
  make: (args: EffectArgs<Context, Event>) => Omit<Question, "projection"> | OneKey | undefined,
): EffectAction<Context, Event> {
  return effect<Context, Event>((args) => {
    const wanted = make(args);
    if (wanted === undefined) return [];
    const question = "key" in wanted ? { keys: [wanted.key] } : wanted;
    return [{ type: askType, params: { projection, ...question } }];
  });
}

/** A question for one row. */
interface OneKey {
  readonly key: string;
}

interface CustomAction {
  readonly type: string;
  readonly params: Readonly<Record<string, unknown>>;
}

function effect<Context extends MachineContext, Event extends EventObject>(
  make: (args: EffectArgs<Context, Event>) => readonly CustomAction[],
): EffectAction<Context, Event> {
  const action = enqueueActions<Context, Event, undefined>(({ context, event, enqueue }) => {
    for (const custom of make({ context, event })) enqueue(custom as never);
  });
  // What is enqueued is this function's doing: it tells one such action from another.
  return Object.assign(action, { make }) as unknown as EffectAction<Context, Event>;
}

/** What finds the instances of a saga that an event concerns may know besides the event. */
export interface CorrelationContext<Settings = unknown> {
  readonly settings: Settings;
  /** A row of a projection, as of the event. */
  readonly read: (projection: string, key: string) => unknown;
}

/** An instance id (1 to 128 of `A-Z a-z 0-9 _ - ~`), several, or none where the event does not concern the saga. */
export type Correlated = string | readonly string[] | undefined;

/** Finds the instances that an event concerns. Pure; the event's data is at its latest version. */
export type Correlate<Settings = unknown> = (
  event: RecordedEvent<string, never>,
  context: CorrelationContext<Settings>,
) => Correlated;

/** An instance of an older chart, for `migrate`. */
export interface OldInstance {
  readonly id: string;
  /** Of the saga, when the instance was last touched. */
  readonly version: number;
  readonly value: unknown;
  readonly context: unknown;
}

/** What the author of a saga writes. */
export interface SagaDefinition<Settings extends z.ZodType, M extends AnyStateMachine> {
  /** Kebab-case; the name of the file, and of the policy stream that holds its settings. */
  readonly name: string;
  /** An integer from 1; raise it when the chart changes for instances that are under way. */
  readonly version?: number;
  readonly description?: string;
  /** All settings with their defaults: `schema.parse({})` must work. */
  readonly settings: Settings;
  /** By event type: which instances the event concerns. */
  readonly correlate: Readonly<Record<string, Correlate<z.output<Settings>>>>;
  /** The event types that start an instance where there is none. */
  readonly startedBy: readonly string[];
  /** Started with `{id, ...StepInfo}` as input. */
  readonly machine: M;
  /** Events recorded later than this after they occurred are history, not news. Default: an hour. */
  readonly maxAgeMs?: number;
  /** React to history, too, however old. */
  readonly backfills?: boolean;
  /** Moves an instance of an older version into this chart. */
  readonly migrate?: (old: OldInstance) => { readonly value: unknown; readonly context: unknown };
}

/** What a machine is started with. */
export interface SagaInput<Settings = unknown> extends StepInfo<Settings> {
  readonly id: string;
}

/** A saga, its types erased for the runtime. */
export interface Saga {
  readonly kind: "saga";
  readonly name: string;
  readonly version: number;
  readonly description?: string;
  readonly settings: z.ZodType;
  readonly correlate: Readonly<Record<string, Correlate>>;
  readonly startedBy: ReadonlySet<string>;
  readonly machine: AnyStateMachine;
  readonly maxAgeMs: number;
  readonly migrate?: SagaDefinition<z.ZodType, AnyStateMachine>["migrate"];
}

const defaultMaxAgeMs = 60 * 60 * 1000;
/** A chart that takes more steps on one event goes round in circles. */
const maxMicrosteps = 1_000;

/** Makes a saga. Pure: the runtime's loader checks its rules, see `checkSaga`. */
export function defineSaga<Settings extends z.ZodType, M extends AnyStateMachine>(
  definition: SagaDefinition<Settings, M>,
): Saga & { readonly machine: M } {
  const { name, version = 1, description, settings, correlate, startedBy, machine, migrate } = definition;
  const maxAgeMs = definition.backfills === true ? Number.POSITIVE_INFINITY : (definition.maxAgeMs ?? defaultMaxAgeMs);
  // XState's default is to go on for ever.
  machine.options.maxIterations = Math.min(machine.options.maxIterations ?? maxMicrosteps, maxMicrosteps);
  return {
    kind: "saga",
    name,
    version,
    ...(description !== undefined && { description }),
    settings,
    correlate: correlate as Readonly<Record<string, Correlate>>,
    startedBy: new Set(startedBy),
    machine,
    maxAgeMs,
    ...(migrate !== undefined && { migrate }),
  };
}
