/** What holds of a log and of the sagas' tables at any time, whatever has gone wrong. Free of vitest. */
import assert from "node:assert/strict";
import type { EventStore, RecordedEvent, Saga } from "retrace";
import type { restore } from "../../src/core/chart.ts";
import type { SagaEvents, StepRecord } from "../../src/core/saga-events.ts";
import { foldSaga } from "../../src/core/saga-history.ts";
import { type InstanceRow, instanceOf } from "../../src/runtime/sagas/instance.ts";
import { loadedSaga } from "../../src/runtime/sagas/loaded-saga.ts";
import { Policies } from "../../src/runtime/sagas/policy-settings.ts";

/** Each command took effect once or was refused once, in a log without gaps; an instance keeps its correlation id. */
export function assertEffectsOnce(store: EventStore): void {
  const effects = new Map<string, RecordedEvent[]>();
  const sent = new Set<string>();
  const rejected = new Set<string>();
  const correlations = new Map<string, string>();
  let position = 0;
  for (const event of store.readAll()) {
    position += 1;
    assert.equal(event.position, position);
    const { commandId, correlationId, actor } = event.metadata;
    if (event.category === "saga") {
      const known = correlations.get(event.stream) ?? correlationId;
      assert.equal(correlationId, known, `${event.stream} keeps its correlation id`);
      correlations.set(event.stream, known);
      for (const command of (event.data as Partial<StepRecord>).commands ?? []) sent.add(command.commandId);
      if (event.type === "SagaCommandRejected") once(rejected, (event.data as { commandId: string }).commandId);
    } else {
      if (actor?.id.startsWith("saga:")) assert.ok(sent.has(commandId), `${commandId} was sent by no step`);
      effects.set(commandId, [...(effects.get(commandId) ?? []), event]);
    }
  }
  for (const [commandId, events] of effects) {
    const [first] = events as [RecordedEvent];
    const places = events.map((event) => [
      event.stream,
      event.position - first.position,
      event.version - first.version,
    ]);
    assert.deepEqual(
      places,
      events.map((_, i) => [first.stream, i, i]),
      `${commandId} took effect once`,
    );
    assert.ok(!rejected.has(commandId), `${commandId} was refused and took effect`);
  }
}

function once(known: Set<string>, id: string): void {
  assert.ok(!known.has(id), `${id} came back once`);
  known.add(id);
}

/** What the row of an instance says is what its stream says, and the table of timers what the rows say. */
export function assertRowsAreFolds(store: EventStore, sagas: readonly Saga[]): void {
  const loaded = new Map(sagas.map((saga) => [saga.name, loadedSaga(saga)]));
  const policies = new Policies(store);
  const timers: unknown[] = [];
  for (const { key, value } of store.scan("sagas", {})) {
    const [name, id] = key as [string, string];
    const row = value as InstanceRow;
    const one = loaded.get(name) ?? assert.fail(`there is no saga ${name}`);
    const instance = instanceOf(one, id, row);
    const folded = foldSaga(one.saga, store.readStream(instance.stream), {
      eventAt: (position) => [...store.readAll({ afterPosition: position - 1, limit: 1 })][0] as RecordedEvent,
      settingsAt: (version) => policies.at(one.saga, version),
    });
    assert.ok(folded.outcome === "folded" && folded.instance !== undefined, JSON.stringify(folded));
    const { state, version } = folded.instance;
    // One that fell due while the instance was stuck waits with the rest of its work; no event tells of it yet.
    const waiting = new Set(instance.queue.items.flatMap((work) => (work.kind === "timer" ? [work.id] : [])));
    const stillSet = [...folded.instance.timers].filter(([timer]) => !waiting.has(timer));
    assert.deepEqual(
      { ...plain(one.saga, state), version, timers: stillSet.sort() },
      { ...plain(one.saga, instance.state), version: row.version, timers: [...instance.timers].sort() },
      instance.stream,
    );
    assert.equal(store.head(instance.stream).version, row.version);
    for (const [timer, { dueMs }] of instance.timers) timers.push([dueMs, name, id, timer]);
  }
  const kept = Array.from(store.scan("timers", {}), ({ key }) => key);
  assert.deepEqual(kept.map(String).sort(), timers.map(String).sort());
}

/** A state with what decides its future, history included. */
function plain(saga: Saga, state: ReturnType<typeof restore> | undefined): object {
  assert.ok(state !== undefined);
  const { value, context, status, historyValue } = state;
  // XState enters what it remembers in the order of the chart.
  const history = Object.entries(historyValue ?? {}).map(([id, nodes]) => [id, nodes.map((node) => node.id).sort()]);
  return { machine: saga.machine.id, value, context, status, history };
}

/** Every instance has ended, once, and left nothing behind. */
export function assertAllEnded(store: EventStore): void {
  assert.deepEqual([...store.scan("sagas", {})], []);
  assert.deepEqual([...store.scan("timers", {})], []);
  for (const { key, value } of store.scan("checkpoints", { prefix: ["saga"] })) {
    assert.deepEqual(value, { running: 0, stuck: 0, timers: 0 }, String(key));
  }
}

/** Nothing ever needed help. */
export function assertNoneStuck(store: EventStore): void {
  const stuck = [...store.readAll({ types: ["SagaStuck"] })] as RecordedEvent<string, SagaEvents["SagaStuck"]>[];
  assert.deepEqual(stuck, []);
}
