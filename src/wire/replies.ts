/** The shapes of successful replies: one place for those who write them and those who read them. */
import type { ErrorBody } from "../core/fault.ts";
import type { RecordedEvent } from "../core/message.ts";

/** A state as the wire shows it. */
export interface WireState {
  /** XState's state value. */
  readonly value: unknown;
  readonly context: Readonly<Record<string, unknown>>;
  readonly status: "active" | "done" | "error" | "stopped";
}

/** The reply to a command. */
export interface CommandReply {
  readonly stream: string;
  /** Of the stream after the command. */
  readonly version: number;
  /** Of the stream's last event in the log; 0 where the stream is still empty. */
  readonly position: number;
  readonly durability: "flushed";
  /** What the command added; empty when there was nothing to do. */
  readonly events: readonly {
    readonly id: string;
    readonly type: string;
    readonly version: number;
    readonly position: number;
  }[];
  readonly state: { readonly value: unknown; readonly status: string };
  /** The command id was known: this is the first reply again, and nothing was added. */
  readonly duplicate?: true;
}

/** The reply to a bulk request: one for each command, in their order. */
export interface BulkReply {
  readonly replies: readonly (CommandReply | ErrorBody)[];
}

/** The reply to `state`. */
export interface StateReply {
  readonly stream: string;
  readonly version: number;
  readonly position: number;
  readonly recordedAt: string;
  readonly state: WireState;
}

/** An event without its data. */
export type EventMention = Omit<RecordedEvent, "data" | "category" | "schemaVersion">;

/** The reply to `why`. */
export interface WhyReply {
  readonly stream: string;
  /** Of the point asked about: of the last event up to there. */
  readonly version: number;
  readonly position: number;
  readonly recordedAt: string;
  readonly field: string;
  /** At that point; absent where the field is not there any more. */
  readonly value?: unknown;
  /** Before the event that set it; absent where the field was not there yet. */
  readonly before?: unknown;
  /** The last event at which the value changed; null for what every stream begins with. */
  readonly setBy: EventMention | null;
  /** What led to that event, the nearest first: steps of sagas, and the events that they or clients name as causes. */
  readonly causes: readonly EventMention[];
  readonly hasMoreCauses: boolean;
}

/** The reply to `history`; `next` is the `fromVersion` of the next page. */
export interface HistoryReply {
  readonly events: readonly RecordedEvent[];
  readonly next: number | null;
}

/** The reply to `events`; `next` is the `afterPosition` of the next page. */
export interface EventsReply {
  readonly events: readonly RecordedEvent[];
  readonly next: number | null;
}

/** An instance of a saga that is under way. */
export interface SagaInstance {
  readonly saga: string;
  readonly id: string;
  readonly stream: string;
  readonly status: "running" | "stuck";
  /** A state value of its chart; null before the first. */
  readonly state: unknown;
  /** Of its stream. */
  readonly version: number;
  readonly startedAt: string;
  readonly correlationId: string;
  readonly timers: readonly { readonly id: string; readonly dueAt: string }[];
  /** Why it cannot go on, at what, since when, and how much waits behind that. */
  readonly stuck?: {
    readonly reason: string;
    readonly message: string;
    readonly since: string;
    readonly ageMs: number;
    readonly at?: string;
    readonly waiting: number;
  };
}

/** The reply to `sagas`; `next` is the `cursor` of the next page. */
export interface SagasReply {
  readonly instances: readonly SagaInstance[];
  readonly next: readonly [saga: string, id: string] | null;
}

/** The reply to `projection`; `next` is the `cursor` of the next page. */
export interface ProjectionReply {
  readonly name: string;
  /** Of the projection that made the rows: while a newer one is being built, that of before. */
  readonly version: number;
  /** All events up to here are in the rows. */
  readonly position: number;
  /** In the order of their keys, by code point. */
  readonly rows: readonly { readonly key: string; readonly value: unknown }[];
  readonly next: string | null;
}
