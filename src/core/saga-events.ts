/**
 * What a saga's stream records: every input of its chart with what the chart made of it. The events it consumed are
 * named, not repeated: they are in the log. With them the stream is all that is needed to fold an instance again.
 */
import type { Answer, RejectedCommand } from "./saga.ts";
import type { TimerEvent } from "./saga-chart.ts";

/** The category of all saga streams: `saga-<name>-<id>`. */
export const sagaCategory = "saga";

/** The stream of one instance. */
export function sagaStream(name: string, id: string): string {
  return `${sagaCategory}-${name}-${id}`;
}

/** What a step did. */
export interface StepRecord {
  /** State values before and after; null before the first. */
  readonly from: unknown;
  readonly to: unknown;
  /** Sent in this step, in order. What became of each is in the events that carry its command id, or in a SagaCommandRejected. */
  readonly commands: readonly CommandRecord[];
  readonly timers: { readonly set: readonly TimerRecord[]; readonly cancelled: readonly string[] };
  /** Of the policy stream; 0 is the saga's defaults. */
  readonly policyVersion: number;
}

/** A command that was sent, without its body. */
export interface CommandRecord {
  readonly commandId: string;
  readonly category: string;
  readonly id: string;
  readonly type: string;
}

/** A timer that was set. */
export interface TimerRecord {
  readonly id: string;
  /** ISO 8601. */
  readonly dueAt: string;
}

/** An event of the log, by its place. */
export interface ConsumedRecord {
  readonly id: string;
  readonly position: number;
  readonly stream: string;
  readonly version: number;
  readonly type: string;
}

/** Data by event type. */
export interface SagaEvents {
  readonly SagaStarted: StepRecord & {
    readonly saga: string;
    readonly instance: string;
    readonly sagaVersion: number;
    readonly startedBy: ConsumedRecord;
  };
  readonly SagaAdvanced: StepRecord & { readonly consumed: ConsumedRecord };
  readonly SagaTimerFired: StepRecord & {
    readonly timer: string;
    readonly dueAt: string;
    /** As it was raised. */
    readonly event: TimerEvent;
  };
  readonly SagaCommandRejected: StepRecord & RejectedCommand & { readonly commandId: string };
  readonly SagaAnswered: StepRecord & Answer;
  /** It cannot go on without help. */
  readonly SagaStuck: {
    /** A stable code. */
    readonly reason: string;
    readonly message: string;
    /** What it cannot take: an event, a timer, a command it wanted to send, a question. */
    readonly at: unknown;
    readonly state: unknown;
  };
  /** Somebody helped: what it was stuck at is tried again, or left out. */
  readonly SagaResumed: { readonly how: "retried" | "skipped"; readonly by: string; readonly reason?: string };
  /** Moved into a changed chart. */
  readonly SagaMigrated: {
    readonly fromVersion: number;
    readonly toVersion: number;
    readonly from: unknown;
    readonly to: unknown;
    /** For people. */
    readonly context: unknown;
    /** The same with all that JSON cannot carry: by `packState`, in base64. */
    readonly contextBytes: string;
    /** All that are set from here on. */
    readonly timers: readonly (TimerRecord & { readonly event: TimerEvent })[];
  };
  readonly SagaEnded: {
    /** `done`: its chart ended; `resolved`: somebody ended it. */
    readonly how: "done" | "resolved";
    readonly state: unknown;
    readonly output?: unknown;
    readonly by?: string;
    readonly reason?: string;
  };
}

export type SagaEventType = keyof SagaEvents;
