/** The headers of a command as a client writes them: PROTOCOL.md, Commands. */
import { ulids } from "./ulid.ts";

/** What a client may say of a command beside its body. Everything is optional. */
export interface CommandMetadata {
  /** Makes the command idempotent on its stream. Default: a fresh id, kept across the client's own retries. */
  readonly commandId?: string;
  readonly expectedVersion?: number | "no-stream" | "any";
  readonly correlationId?: string;
  readonly causationId?: string;
  /** ISO 8601, for backfills. */
  readonly occurredAt?: string;
  readonly actor?: string;
  readonly traceparent?: string;
}

const newCommandId = ulids(Date.now);

/** By name; only those that say something. */
export function commandHeaders(metadata: CommandMetadata, defaultActor: string | undefined): Record<string, string> {
  const all: Record<string, string | undefined> = {
    "Nats-Msg-Id": metadata.commandId ?? newCommandId(),
    "Retrace-Expected-Version": metadata.expectedVersion?.toString(),
    "Retrace-Correlation-Id": metadata.correlationId,
    "Retrace-Causation-Id": metadata.causationId,
    "Retrace-Occurred-At": metadata.occurredAt,
    "Retrace-Actor": metadata.actor ?? defaultActor,
    traceparent: metadata.traceparent,
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
