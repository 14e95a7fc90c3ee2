/** What holds for every aggregate that ships: the loader's rules, and the laws of folding under random commands. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import fc from "fast-check";
import { pack, unpack } from "msgpackr";
import type { Aggregate, ChartEvent, Domain } from "retrace";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { RetraceDomain } from "../../schemas/index.ts";
import { decideCommand, evolve } from "../../src/core/aggregate.ts";
import { type ChartState, initialState, persist, restore } from "../../src/core/chart.ts";
import { checkAggregate, checkCategories } from "../../src/core/check-aggregate.ts";
import { versioned } from "../../src/core/schema.ts";
import { arbitraryCommand, type RawCommand } from "./arbitrary-command.ts";

const folder = new URL("../../actors/aggregates/", import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith(".ts"));
const aggregates: [string, Aggregate][] = await Promise.all(
  files.map(async (file): Promise<[string, Aggregate]> => {
    const loaded = (await import(new URL(file, folder).href)) as { readonly default: Aggregate };
    return [file.replace(/\.ts$/, ""), loaded.default];
  }),
);

test("no category can be read as part of another", () => {
  expect(checkCategories(aggregates.map(([name]) => name))).toEqual([]);
});

test("the schemas are a domain that a client can be typed by", () => {
  const fits: Domain = {} as RetraceDomain;
  expect(fits).toBeDefined();
});

describe.each(aggregates)("%s", (name, aggregate) => {
  test("keeps the loader's rules and bears the name of its file", () => {
    expect(checkAggregate(aggregate)).toEqual([]);
    expect(aggregate.category).toBe(name);
  });

  test("has commands that refuse unknown fields, and events that keep them", () => {
    for (const schema of Object.values(aggregate.schemas.commands)) {
      expect(z.toJSONSchema(schema, { io: "input" })).toMatchObject({ type: "object", additionalProperties: false });
    }
    for (const schema of Object.values(aggregate.schemas.events)) {
      expect(z.toJSONSchema(versioned(schema).schema)).toMatchObject({ type: "object", additionalProperties: {} });
    }
  });

  test("under random commands folds to the same state, from the start or from a snapshot", () => {
    const commands = fc.array(arbitraryCommand(aggregate.schemas), { maxLength: 60, size: "max" });
    const decided = new Set<string>();
    freezeDeep(initialState(aggregate.machine).context);
    fc.assert(
      fc.property(commands, fc.nat(), (sequence, cut) => {
        const { state, events } = live(aggregate, sequence);
        for (const { type } of events) decided.add(type);
        const stored = unpack(pack(events)) as ChartEvent[];
        const middle = events.length === 0 ? 0 : cut % events.length;
        const start = initialState(aggregate.machine);
        const whole = fold(aggregate, start, stored);
        const snapshot = unpack(pack(persist(aggregate.machine, fold(aggregate, start, stored.slice(0, middle)))));
        const resumed = fold(aggregate, restore(aggregate.machine, snapshot), stored.slice(middle));
        assert.deepEqual(persist(aggregate.machine, whole), persist(aggregate.machine, state));
        assert.deepEqual(persist(aggregate.machine, resumed), persist(aggregate.machine, state));
      }),
      { seed: 2, numRuns: 300 },
    );
    expect(decided.size).toBeGreaterThan((Object.keys(aggregate.schemas.events).length * 2) / 3);
  });
});

interface Lived {
  readonly state: ChartState;
  readonly events: readonly ChartEvent[];
}

/** Decides the commands one after another, as the runtime does; what is refused or invalid changes nothing. */
function live(aggregate: Aggregate, commands: readonly RawCommand[]): Lived {
  let state = initialState(aggregate.machine);
  const events: ChartEvent[] = [];
  for (const { type, data } of commands) {
    const parsed = aggregate.schemas.commands[type]?.safeParse(data);
    if (parsed?.success !== true) continue;
    const metadata = { correlationId: "c", causationId: "c", commandId: "c", actor: { id: "ada", verified: false } };
    const minute = String(events.length % 60).padStart(2, "0");
    const now = `2026-01-01T00:${minute}:00.000Z`;
    let next = events.length;
    const outcome = decideCommand(aggregate, {
      state,
      version: events.length,
      command: { type, data: parsed.data, occurredAt: now, metadata },
      context: { id: "x1", now },
      newId: () => `e${++next}`,
    });
    if (outcome.outcome !== "accepted") continue;
    for (const event of outcome.events) assertRecordable(aggregate, event);
    events.push(...outcome.events);
    state = outcome.state;
    freezeDeep(state.context);
  }
  return { state, events };
}

function fold(aggregate: Aggregate, start: ChartState, events: readonly ChartEvent[]): ChartState {
  let state = start;
  for (const event of events) {
    const next = evolve(aggregate, state, event);
    assert(next.outcome === "evolved", `${event.type} was decided and is refused on replay`);
    state = next.state;
  }
  return state;
}

/** It fits its schema, and is the same after a trip as JSON: nothing undefined, no date, no NaN. */
function assertRecordable(aggregate: Aggregate, { type, data }: ChartEvent): void {
  const schema = aggregate.schemas.events[type];
  assert(schema !== undefined, `${type} has no schema`);
  const parsed = versioned(schema).schema.safeParse(data);
  assert(parsed.success, `${type} does not fit its schema: ${parsed.error?.message}`);
  assert.deepEqual(JSON.parse(JSON.stringify(data)), data);
}

/** A chart that changed its context in place would change other streams and older states with it. */
function freezeDeep(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) freezeDeep(inner);
}
