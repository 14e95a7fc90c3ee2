/** A log under other code than that which wrote it: every stream that would break is named, once, and nothing else. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Aggregate, type EventStore, fold, type NewEvent, openMemoryStore, type RecordedEvent } from "retrace";
import { describe, expect, test } from "vitest";
import model from "../../actors/aggregates/model.ts";
import { aggregateReader } from "../../src/core/check-history.ts";
import { readEvent } from "../../src/core/history.ts";
import { type BrokenStream, type CheckStep, checkLog, type LogToCheck } from "../../src/runtime/check-log.ts";
import { storeToCheck } from "../../src/runtime/log-to-check.ts";
import { type Changes, ticket, ticketEvent } from "./tickets.ts";

const readersOf = (...aggregates: readonly Aggregate[]) =>
  new Map(aggregates.map((aggregate) => [aggregate.category, aggregateReader(aggregate)]));

async function storeWith(events: readonly NewEvent[]): Promise<EventStore> {
  const store = openMemoryStore("s");
  expect(await store.append(events)).toMatchObject({ outcome: "appended" });
  return store;
}

async function stepsOf(log: LogToCheck, ...aggregates: readonly Aggregate[]): Promise<CheckStep[]> {
  const steps: CheckStep[] = [];
  for await (const step of checkLog(log, { readers: readersOf(...aggregates) })) steps.push(step);
  return steps;
}

async function brokenIn(events: readonly NewEvent[], changes: Changes = {}): Promise<BrokenStream[]> {
  const steps = await stepsOf(storeToCheck(await storeWith(events)), ticket(changes));
  return steps.flatMap(({ broken }) => broken ?? []);
}

const openedAs = (id: string) => ticketEvent(id, "TicketOpened", { title: `about ${id}` });

/** Three tickets, one after another: assigned and closed; closed without an owner and opened again; just opened. */
const history = [
  openedAs("a"),
  ticketEvent("a", "TicketAssigned", { owner: "ada" }),
  ticketEvent("a", "TicketClosed"),
  openedAs("b"),
  ticketEvent("b", "TicketClosed"),
  ticketEvent("b", "TicketReopened"),
  openedAs("c"),
];

describe("a log", () => {
  test("is sound under the code that wrote it", async () => {
    const steps = await stepsOf(storeToCheck(await storeWith(history)), ticket());

    expect(steps).toEqual([
      { stream: "ticket-a", category: "ticket", events: 3, verdict: "sound" },
      { stream: "ticket-b", category: "ticket", events: 3, verdict: "sound" },
      { stream: "ticket-c", category: "ticket", events: 1, verdict: "sound" },
    ]);
  });

  test("without events is sound", async () => {
    expect(await brokenIn([])).toEqual([]);
  });

  test("breaks where a transition is gone: what the chart accepts there is named", async () => {
    const event = { version: 3, position: 6, state: "closed", type: "TicketReopened", schemaVersion: 1 };
    const why = { reason: "CHART_REFUSES", message: "the chart does not accept it, nor anything else" };

    expect(await brokenIn(history, { noReopening: true })).toEqual([
      { stream: "ticket-b", category: "ticket", ...event, ...why, details: { accepts: [] } },
    ]);
  });

  test("breaks where a guard has become stricter", async () => {
    const event = { version: 3, position: 3, state: "open", type: "TicketClosed", schemaVersion: 1 };
    const why = { reason: "CHART_REFUSES", message: "the chart has a guard that refuses it" };
    const details = { accepts: ["TicketAssigned", "TicketClosed"] };

    expect(await brokenIn(history, { onlyUnowned: true })).toEqual([
      { stream: "ticket-a", category: "ticket", ...event, ...why, details },
    ]);
  });

  test("breaks where an event type is gone", async () => {
    const event = { version: 2, position: 2, state: "open", type: "TicketAssigned", schemaVersion: 1 };
    const why = { reason: "UNKNOWN_TYPE", message: "ticket has no event of this type" };

    expect(await brokenIn(history, { noAssigning: true })).toEqual([
      { stream: "ticket-a", category: "ticket", ...event, ...why, details: {} },
    ]);
  });

  test("breaks where the events of a category are read by nobody any more", async () => {
    const [broken, ...others] = (await stepsOf(storeToCheck(await storeWith(history)))).flatMap((s) => s.broken ?? []);

    expect(broken).toEqual({
      ...{ stream: "ticket-a", category: "ticket", version: 1, position: 1, state: null },
      ...{ type: "TicketOpened", schemaVersion: 1, reason: "UNKNOWN_CATEGORY" },
      ...{ message: "there is no category ticket", details: {} },
    });
    expect(others.map(({ stream, version }) => `${stream}@${version}`)).toEqual(["ticket-b@1", "ticket-c@1"]);
  });

  test.each<[NonNullable<Changes["upcaster"]>, string, RegExp]>([
    ["missing", "NO_UPCASTER", /^no upcaster leads from schema version 1 to 2$/],
    ["throws", "UPCASTER_FAILED", /^the upcaster from schema version 1 failed: Cannot read .+'name'/],
    ["returns nothing", "UPCASTER_FAILED", /^the upcaster from schema version 1 returned no object$/],
    ["forgets the title", "SCHEMA_REFUSES", /^its data does not fit schema version 2: title: .+$/],
  ])("breaks in every stream whose upcaster %s: %s", async (upcaster, reason, says) => {
    const broken = await brokenIn(history, { upcaster });

    expect(broken).toMatchObject(
      ["a", "b", "c"].map((id) => ({ stream: `ticket-${id}`, version: 1, state: "empty", reason, schemaVersion: 1 })),
    );
    for (const { message } of broken) expect(message).toMatch(says);
  });

  test("breaks where an event was written by newer code", async () => {
    const newer = ticketEvent("n", "TicketOpened", { title: "later" }, { schemaVersion: 3 });

    expect(await brokenIn([openedAs("a"), newer])).toMatchObject([
      {
        stream: "ticket-n",
        version: 1,
        schemaVersion: 3,
        reason: "NEWER_VERSION",
        message: expect.stringContaining("3"),
      },
    ]);
  });

  test("breaks where data lacks what has become required, although folding it would go on", async () => {
    const events = [openedAs("a"), ticketEvent("a", "TicketAssigned"), ticketEvent("a", "TicketClosed")];
    const issues = [{ path: "owner", message: expect.any(String) }];

    expect(await brokenIn(events)).toEqual([]);
    expect(await brokenIn(events, { requiresOwner: true })).toMatchObject([
      { stream: "ticket-a", version: 2, state: "open", reason: "SCHEMA_REFUSES", details: { issues } },
    ]);
  });

  test("breaks where the chart throws", async () => {
    const events = [openedAs("a"), ticketEvent("a", "TicketAssigned"), openedAs("b")];

    expect(await brokenIn(events, { trusting: true })).toMatchObject(
      [
        { stream: "ticket-a", version: 2, state: "open", reason: "CODE_THROWS", message: /^reading it throws: .+trim/ },
      ].map((broken) => ({ ...broken, message: expect.stringMatching(broken.message) })),
    );
  });

  test("breaks where a part refuses: it is named, with its own state", async () => {
    const of = (type: string, data: unknown) => ticketEvent("", type, data, { stream: "model-m", category: "model" });
    const events = [
      of("ModelCreated", {}),
      of("ModelVersioned", { version: "v1" }),
      of("ModelVersionRejected", { version: "v1" }),
      of("ModelDeployed", { version: "v1", environment: "live", trafficShare: 1 }),
    ];
    const [step] = await stepsOf(storeToCheck(await storeWith(events)), model);

    expect(step?.broken).toMatchObject({
      ...{ stream: "model-m", version: 4, type: "ModelDeployed", reason: "CHART_REFUSES" },
      message: expect.stringMatching(/^version v1, in "rejected", does not accept it/),
      details: { part: { name: "version", key: "v1", state: "rejected" } },
    });
  });

  test("is sound under an upcaster that renames, and keeps what it does not know", async () => {
    const [stored] = (await storeWith([ticketEvent("a", "TicketOpened", { title: "t", colour: "red" })])).readAll();

    expect(await brokenIn(history, { upcaster: "renames" })).toEqual([]);
    expect(readEvent(ticket({ upcaster: "renames" }), stored as RecordedEvent)).toMatchObject({
      event: { data: { subject: "t", colour: "red" } },
    });
  });

  test("has streams of the runtime's own, which no aggregate reads: they are passed over and counted", async () => {
    const saga = ticketEvent("x", "SagaStarted", {}, { stream: "saga-review-x", category: "saga" });

    expect(await stepsOf(storeToCheck(await storeWith([saga, openedAs("a")])), ticket())).toMatchObject([
      { stream: "saga-review-x", events: 0, verdict: "unchecked" },
      { stream: "ticket-a", verdict: "sound" },
    ]);
  });

  test("is checked as far as one category goes", async () => {
    const other = ticketEvent("x", "Other", {}, { stream: "other-x", category: "other" });
    const store = await storeWith([other, ...history]);

    expect((await stepsOf(storeToCheck(store), ticket())).filter(({ broken }) => broken)).toHaveLength(1);
    const steps = await stepsOf(storeToCheck(store, { categories: ["ticket"] }), ticket());
    expect(steps.map(({ stream, verdict }) => `${stream} ${verdict}`)).toEqual([
      "ticket-a sound",
      "ticket-b sound",
      "ticket-c sound",
    ]);
  });
});

test("a long stream is judged in many steps, and a check that is ended in one of them reads no further", async () => {
  const events = [openedAs("long"), ...Array.from({ length: 9_999 }, () => ticketEvent("long", "TicketAssigned"))];
  const log = storeToCheck(await storeWith([...events, openedAs("b")]));
  const steps = await stepsOf(log, ticket());
  let read = 0;
  const counting: LogToCheck = {
    ...log,
    events: (after) => log.events(after),
    history: (stream, from) => {
      read += 1;
      return log.history(stream, from);
    },
  };
  for await (const _ of checkLog(counting, { readers: readersOf(ticket()) })) break;

  expect(steps.map(({ stream, events, verdict }) => [stream, events, verdict])).toEqual([
    ...Array(4).fill(["ticket-long", 2_000, undefined]),
    ["ticket-long", 2_000, "sound"],
    ["ticket-b", 1, "sound"],
  ]);
  expect(read).toBe(1);
});

describe("whatever the log and whatever the changes", () => {
  const changes: fc.Arbitrary<Changes> = fc.record(
    {
      noReopening: fc.constant(true as const),
      onlyUnowned: fc.constant(true as const),
      noAssigning: fc.constant(true as const),
      requiresOwner: fc.constant(true as const),
      trusting: fc.constant(true as const),
      upcaster: fc.constantFrom("missing", "throws", "returns nothing", "forgets the title", "renames"),
    },
    { requiredKeys: [] },
  );
  const next: Readonly<Record<string, readonly string[]>> = {
    TicketOpened: ["TicketAssigned", "TicketClosed"],
    TicketAssigned: ["TicketAssigned", "TicketClosed"],
    TicketClosed: ["TicketReopened"],
    TicketReopened: ["TicketAssigned", "TicketClosed"],
  };

  /** Legal lives of a few tickets, interleaved: each number picks a ticket and how it goes on. */
  const logs = fc.array(fc.tuple(fc.nat(5), fc.nat(1), fc.boolean()), { maxLength: 60 }).map((moves) => {
    const last = new Map<number, string>();
    return moves.map(([id, choice, hasOwner]) => {
      const options = next[last.get(id) ?? ""] ?? ["TicketOpened"];
      const type = options[choice % options.length] as string;
      last.set(id, type);
      const isOwned = type === "TicketAssigned" && hasOwner;
      return ticketEvent(String(id), type, { title: "t", ...(isOwned && { owner: " ada " }) });
    });
  });

  /** The same log, in slices of other sizes. */
  const sliced = (store: EventStore, size: number): LogToCheck => ({
    ...storeToCheck(store),
    events: async (afterPosition) => {
      const events = [...store.readAll({ afterPosition, limit: size })];
      return { events, next: events.length < size ? null : (events.at(-1)?.position ?? null) };
    },
    history: async ({ stream }, fromVersion) => {
      const events = [...store.readStream(stream, { fromVersion, limit: size })];
      return { events, next: events.length < size ? null : fromVersion + size };
    },
  });

  test("exactly the streams break that cannot be folded, each where it first fails", async () => {
    const verdicts = new Set<string>();
    await fc.assert(
      fc.asyncProperty(logs, changes, fc.integer({ min: 1, max: 7 }), async (events, change, size) => {
        const store = await storeWith(events);
        const code = ticket(change);
        const steps = await stepsOf(sliced(store, size), code);
        const verdict = steps.flatMap((step) =>
          step.verdict === undefined ? [] : [[step.stream, step.broken?.version]],
        );
        const streams = [...new Set(events.map(({ stream }) => stream))];

        assert.deepEqual(
          verdict,
          streams.map((stream) => [stream, firstUnreadable(code, [...store.readStream(stream)])]),
        );
        for (const { broken } of steps) verdicts.add(broken?.reason ?? "sound");
      }),
      { numRuns: 500, seed: 20_260_101 },
    );
    expect([...verdicts].sort()).toEqual([
      ...["CHART_REFUSES", "CODE_THROWS", "NO_UPCASTER", "SCHEMA_REFUSES", "UNKNOWN_TYPE", "UPCASTER_FAILED", "sound"],
    ]);
  });

  /** The law, told once more and slowly: the version of the first event after which the history cannot be read. */
  function firstUnreadable(code: Aggregate, events: readonly RecordedEvent[]): number | undefined {
    return events.find((event, index) => {
      const read = readEvent(code, event);
      if (read.outcome === "unreadable" || !read.schema.schema.safeParse(read.event.data).success) return true;
      try {
        fold(code, events.slice(0, index + 1));
        return false;
      } catch {
        return true;
      }
    })?.version;
  }
});
