/**
 * The messages of the runtime: commands that ask for something, and events that say what happened.
 * Times are ISO 8601 UTC strings with milliseconds everywhere, so that they compare as strings.
 */

/** Who asked. `verified` is true only where the connection proved it; a client can claim any name. */
export interface Actor {
  readonly id: string;
  readonly verified: boolean;
}

/** What ties a message to its conversation, its cause, its command and the person behind it. */
export interface Metadata {
  readonly correlationId: string;
  readonly causationId: string;
  readonly commandId: string;
  readonly actor?: Actor;
  readonly traceparent?: string;
}

/** A request to one aggregate. `data` has passed the schema of the command's type. */
export interface Command<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly data: Data;
  readonly occurredAt: string;
  readonly metadata: Metadata;
}

/** What decide returns: a fact in the past tense, not yet recorded. */
export interface DomainEvent<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly data: Data;
}

/** What an aggregate's chart consumes: the part of an event that is the same when it is decided and when it is replayed. */
export interface ChartEvent<Type extends string = string, Data = unknown> extends DomainEvent<Type, Data> {
  readonly id: string;
  /** 1 for the first event of the stream. */
  readonly version: number;
  readonly occurredAt: string;
  readonly actor: Actor | undefined;
}

/** An event on its way into the log: everything but what the log itself assigns. */
export interface NewEvent<Type extends string = string, Data = unknown> extends DomainEvent<Type, Data> {
  readonly id: string;
  /** `<category>-<id>`. */
  readonly stream: string;
  readonly category: string;
  /**
   * The version this event must get; the append is a conflict when the stream's head says otherwise.
   * Left out, it gets whatever comes next.
   */
  readonly version?: number;
  readonly schemaVersion: number;
  readonly occurredAt: string;
  /** When it was accepted. The log holds this back to the time of the event before it when a clock has jumped back. */
  readonly recordedAt: string;
  readonly metadata: Metadata;
}

/** An event of the log. Immutable. */
export interface RecordedEvent<Type extends string = string, Data = unknown> extends NewEvent<Type, Data> {
  readonly version: number;
  /** From 1, global, without gaps. */
  readonly position: number;
}
