/** What has to be true after any trouble: log, queries, JetStream and replies tell the same story. Free of vitest. */
import assert from "node:assert/strict";
import type { NatsConnection } from "@nats-io/nats-core";
import type { RecordedEvent } from "../../src/core/message.ts";
import { assertStreamHolds } from "../support/event-messages.ts";
import { connectRaw, queryRaw, relayCaughtUp } from "../support/raw-client.ts";
import type { RuntimeExit } from "../support/runtime-process.ts";
import { storedEvents } from "../support/stored-events.ts";
import type { Acknowledged } from "./workload.ts";

/** A runtime that nobody sends commands to any more. */
export interface Quiet {
  readonly url: string;
  readonly dataDir: string;
  readonly runtime: { stop(): Promise<RuntimeExit> };
}

/**
 * Fails unless each acknowledged command is in the log exactly once, the log and its streams have no gap, and the queries and JetStream
 * hold the very same events in the same order. Stops the runtime on the way, to read the log from its file.
 */
export async function assertOneStory(
  { url, dataDir, runtime }: Quiet,
  acknowledged: readonly Acknowledged[],
): Promise<void> {
  const nats = await connectRaw(url);
  try {
    const position = await relayCaughtUp(nats);
    assert.equal(position, acknowledged.length, "one event for each acknowledged command");
    const answered = await queriedEvents(nats);
    await assertStreamHolds(nats, answered);
    await assertHistories(nats, answered);
    const { code } = await runtime.stop();
    assert.equal(code, 0, "the runtime ends in good order");
    const stored = await storedEvents(dataDir);
    assert.deepEqual(answered, stored, "the query answers what is in the log");
    assertLog(stored);
    assertKept(stored, acknowledged);
  } finally {
    await nats.close();
  }
}

async function queriedEvents(nats: NatsConnection): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (let afterPosition: number | null = 0; afterPosition !== null; ) {
    const page: Page = await queryRaw<Page>(nats, "events", { afterPosition, limit: 1_000 });
    events.push(...page.events);
    afterPosition = page.next;
  }
  return events;
}

interface Page {
  readonly events: readonly RecordedEvent[];
  readonly next: number | null;
}

async function assertHistories(nats: NatsConnection, events: readonly RecordedEvent[]): Promise<void> {
  for (const [stream, expected] of byStream(events)) {
    const id = stream.slice("training-run-".length);
    const history: RecordedEvent[] = [];
    for (let fromVersion: number | null = 1; fromVersion !== null; ) {
      const page: Page = await queryRaw<Page>(nats, "history", {
        category: "training-run",
        id,
        fromVersion,
        limit: 1_000,
      });
      history.push(...page.events);
      fromVersion = page.next;
    }
    assert.deepEqual(history, expected);
  }
}

function byStream(events: readonly RecordedEvent[]): Map<string, RecordedEvent[]> {
  const streams = new Map<string, RecordedEvent[]>();
  for (const event of events) streams.set(event.stream, [...(streams.get(event.stream) ?? []), event]);
  return streams;
}

/** Positions and versions have no gap, ids are unique, time does not go back. */
function assertLog(events: readonly RecordedEvent[]): void {
  const versions = new Map<string, number>();
  const ids = new Set<string>();
  let recordedAt = "";
  for (const [i, event] of events.entries()) {
    const version = (versions.get(event.stream) ?? 0) + 1;
    assert.deepEqual([event.position, event.version], [i + 1, version], `${event.stream}@${event.version}`);
    assert.ok(event.recordedAt >= recordedAt, `the time of event ${event.position} goes back`);
    versions.set(event.stream, version);
    ids.add(event.id);
    recordedAt = event.recordedAt;
  }
  assert.equal(ids.size, events.length, "event ids are unique");
}

/** Each acknowledged command is in the log exactly once, as its reply said; and nothing else is. */
function assertKept(events: readonly RecordedEvent[], acknowledged: readonly Acknowledged[]): void {
  const byCommand = new Map<string, RecordedEvent>();
  for (const event of events) {
    const { commandId } = event.metadata;
    assert.ok(!byCommand.has(commandId), `${commandId} is in the log twice`);
    byCommand.set(commandId, event);
  }
  for (const { command, reply } of acknowledged) {
    const event = byCommand.get(command.commandId);
    assert.ok(event !== undefined, `${command.commandId} was acknowledged and is lost`);
    const { id, type, version, position, stream } = event;
    assert.deepEqual(reply.events, [{ id, type, version, position }]);
    assert.deepEqual([reply.stream, reply.version, reply.position], [stream, version, position]);
    assert.deepEqual(event.data, command.data);
  }
  assert.equal(byCommand.size, acknowledged.length, "the log holds only what was acknowledged");
}
