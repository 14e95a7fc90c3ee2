/**
 * Command records: what makes a repeated command id harmless. Kept 30 days; the events a reply lists are found again
 * through the versions it covers, so a record is small.
 */
import type { EventStore, Key, Transaction } from "../core/event-store.ts";
import { Fault } from "../core/fault.ts";
import type { CommandRequest } from "../wire/command-request.ts";
import type { CommandReply } from "../wire/replies.ts";

type CommandRecord = [
  digest: number,
  recordedAtMs: number,
  version: number,
  position: number,
  eventCount: number,
  stateValue: unknown,
  status: string,
];

/** The command id comes first: ids are mostly made in time order, and neighbours in time share pages. */
function keyOf({ stream, command }: CommandRequest): Key {
  return [command.metadata.commandId, stream];
}

/** The first reply to this command id on this stream, marked as a duplicate; undefined when the id is new. */
export function knownReply(
  store: EventStore,
  tx: Transaction,
  request: CommandRequest,
): CommandReply | Fault | undefined {
  const record = tx.get("commands", keyOf(request)) as CommandRecord | undefined;
  if (record === undefined) return undefined;
  const [digest, , version, position, eventCount, value, status] = record;
  if (digest !== request.digest) {
    const { commandId } = request.command.metadata;
    return new Fault(
      "COMMAND_ID_REUSED",
      `command id ${commandId} was used on ${request.stream} with another type or body`,
      {
        commandId,
        stream: request.stream,
      },
    );
  }
  const events = store.readStream(request.stream, { fromVersion: version - eventCount + 1, toVersion: version });
  return {
    stream: request.stream,
    version,
    position,
    durability: "flushed",
    events: Array.from(events, ({ id, type, version, position }) => ({ id, type, version, position })),
    state: { value, status },
    duplicate: true,
  };
}

/** Keeps a reply for repetitions of its command id. */
export function recordCommand(tx: Transaction, request: CommandRequest, reply: CommandReply, now: string): void {
  const { version, position, events, state } = reply;
  const record: CommandRecord = [
    request.digest,
    Date.parse(now),
    version,
    position,
    events.length,
    state.value,
    state.status,
  ];
  tx.put("commands", keyOf(request), record);
}

/** Where a sweep stands: the key it has reached; null to begin again. */
export type SweepCursor = Key | null;

const sweepRows = 1_000;

/** Deletes records older than `before` among the next thousand; returns where to go on. */
export async function sweepCommandRecords(
  store: EventStore,
  before: string,
  cursor: SweepCursor,
): Promise<SweepCursor> {
  const beforeMs = Date.parse(before);
  const rows = [...store.scan("commands", { ...(cursor === null ? {} : { after: cursor }), limit: sweepRows })];
  const old = rows.filter(({ value }) => (value as CommandRecord)[1] < beforeMs);
  if (old.length > 0) {
    await store.withTransaction((tx) => {
      for (const { key } of old) tx.delete("commands", key);
    });
  }
  return rows.length < sweepRows ? null : (rows.at(-1) as { key: Key }).key;
}
