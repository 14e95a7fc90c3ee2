/** Events of older versions: the rules for the way to today's, and stored ones that are read for ever. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Aggregate, builtInActors, fold, loadActors, openLmdbStore, type RecordedEvent } from "retrace";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { checkAggregate } from "../../src/core/check-aggregate.ts";
import { aggregateReader } from "../../src/core/check-history.ts";
import { readEvent } from "../../src/core/history.ts";
import { type Upcaster, upcast } from "../../src/core/schema.ts";
import { checkLog } from "../../src/runtime/check-log.ts";
import { takeActors } from "../../src/runtime/loader.ts";
import { storeToCheck } from "../../src/runtime/log-to-check.ts";
import { type Edge, openEdge } from "../protocol/edge.ts";
import { connect } from "../support/connections.ts";
import { assertStreamHolds } from "../support/event-messages.ts";
import { relayCaughtUp } from "../support/raw-client.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { ticket } from "./tickets.ts";

describe("upcasting", () => {
  const schema = z.looseObject({});
  const upcasters: Record<number, Upcaster> = {
    1: ({ seconds, ...rest }) => ({ ...rest, milliseconds: Number(seconds) * 1_000 }),
    2: ({ milliseconds, ...rest }) => ({ ...rest, duration: { value: milliseconds, unit: "ms" } }),
  };
  const third = { version: 3, schema, upcasters };

  test("goes step by step from the version stored, and keeps what it does not know", () => {
    const latest = { duration: { value: 2_000, unit: "ms" }, note: "kept", nested: { kept: true } };

    const others = { note: "kept", nested: { kept: true } };
    expect(upcast(third, 1, { seconds: 2, ...others })).toEqual({ outcome: "latest", data: latest });
    expect(upcast(third, 2, { milliseconds: 2_000, ...others })).toEqual({ outcome: "latest", data: latest });
    expect(upcast(third, 3, latest)).toEqual({ outcome: "latest", data: latest });
  });

  test("leaves what was stored as it was", () => {
    const stored = Object.freeze({ seconds: 2 });
    upcast(third, 1, stored);

    expect(stored).toEqual({ seconds: 2 });
  });

  test.each<[string, number, Record<number, Upcaster>, string]>([
    ["a newer version", 4, upcasters, "NEWER_VERSION"],
    ["no version at all", 0, upcasters, "NO_UPCASTER"],
    ["a gap on the way", 1, { 1: (data) => data }, "NO_UPCASTER"],
    ["an upcaster that throws", 2, { 2: ({ gone }) => ({ x: (gone as string).length }) }, "UPCASTER_FAILED"],
    ["an upcaster that returns nothing", 2, { 2: () => undefined as never }, "UPCASTER_FAILED"],
  ])("says why it cannot read %s", (_, from, steps, reason) => {
    const outcome = upcast({ version: 3, schema, upcasters: steps }, from, {});

    expect(outcome).toEqual({ outcome: "unreadable", reason, message: expect.stringMatching(/version/) });
  });
});

describe("at start the rules find, all at once,", () => {
  /** An aggregate whose events are what a file of plain JavaScript may hold. */
  const withEvents = (events: Readonly<Record<string, unknown>>): Aggregate => {
    const eventSchemas = events as Aggregate["eventSchemas"];
    const sound = ticket();
    return { ...sound, eventSchemas: { ...sound.eventSchemas, ...eventSchemas } };
  };
  const schema = z.looseObject({});
  const step: Upcaster = (data) => data;

  test.each<[string, unknown, readonly string[]]>([
    ["nothing in a chain that is complete", { version: 3, schema, upcasters: { 1: step, 2: step } }, []],
    [
      "gaps",
      { version: 4, schema, upcasters: { 2: step } },
      ["no upcaster from version 1 to 2", "no upcaster from version 3 to 4"],
    ],
    ["a chain that is not there", { version: 2, schema }, ["no upcaster from version 1 to 2"]],
    [
      "steps that are never taken",
      { version: 2, schema, upcasters: { 0: step, 1: step, 2: step, 1.5: step, "01": step, latest: step } },
      ["0", "2", "1.5", "01", "latest"].map((from) => {
        return `upcaster from version ${from} is never used: version 2 has one, from 1`;
      }),
    ],
    [
      "an upcaster of a first version",
      { version: 1, schema, upcasters: { 1: step } },
      ["upcaster from version 1 is never used: version 1 has none"],
    ],
    [
      "what is no function",
      { version: 2, schema, upcasters: { 1: { title: "subject" } } },
      ["upcaster from version 1 is not a function"],
    ],
    ...[0, -1, 1.5, "2", Number.NaN, undefined].map((version): [string, unknown, string[]] => [
      `version ${version}`,
      { version, schema, upcasters: {} },
      [`version ${version} is not an integer from 1`],
    ]),
    ["a schema that is none", { version: 1, schema: {}, upcasters: {} }, ["its schema is not a zod schema"]],
    ["an event without a schema", undefined, ["neither a zod schema nor {version, schema, upcasters}"]],
    ["a description without a version", { schema }, ["neither a zod schema nor {version, schema, upcasters}"]],
  ])("%s", (_, event, problems) => {
    const found = checkAggregate(withEvents({ TicketClosed: event }));

    expect(found).toEqual(problems.map((problem) => `event TicketClosed: ${problem}`));
  });

  test("events that the chart takes and no schema knows, beside all else", () => {
    const { TicketClosed: _, ...events } = ticket().schemas.events;
    const broken = withEvents({ TicketOpened: { version: 2, schema, upcasters: {} } });

    expect(checkAggregate({ ...broken, schemas: { commands: { Close: {} as never }, events } })).toEqual([
      "command Close has no decide",
      "command Close: what it carries is not a zod schema",
      "event TicketOpened: no upcaster from version 1 to 2",
      "chart event TicketClosed has no event schema",
    ]);
  });
});

test("a snapshot is void when a version or an upcaster changes", () => {
  const fingerprint = (aggregate: Aggregate) => takeActors([aggregate]).aggregates.get("ticket")?.fingerprint;
  const [first, again] = [fingerprint(ticket()), fingerprint(ticket())];
  // Both are version 2 under the same schema: only the way there differs.
  const [second, other] = [
    fingerprint(ticket({ upcaster: "throws" })),
    fingerprint(ticket({ upcaster: "forgets the title" })),
  ];

  expect(again).toBe(first);
  expect(new Set([first, second, other]).size).toBe(3);
});

const folder = fileURLToPath(new URL("../fixtures/", import.meta.url));

/** A log as `retrace events --json` printed it when it was written. */
function logIn(file: string): RecordedEvent[] {
  const lines = readFileSync(join(folder, file), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as RecordedEvent);
}

/** A data folder with a log in it. */
async function dataWith(events: readonly RecordedEvent[]): Promise<string> {
  const data = tempDir();
  const store = openLmdbStore({ path: join(data, "log"), newId: () => "s" });
  await store.append(events);
  expect([...store.readAll()]).toEqual(events);
  await store.close();
  return data;
}

describe("logs of older versions", async () => {
  const { aggregates } = await loadActors([builtInActors]);
  const files = readdirSync(folder).filter((file) => file.endsWith(".jsonl"));
  const readers = new Map([...aggregates].map(([category, { aggregate }]) => [category, aggregateReader(aggregate)]));

  test("are kept for every version that an event ever had", () => {
    const kept = new Set(
      files.flatMap(logIn).map(({ category, type, schemaVersion }) => `${category} ${type} ${schemaVersion}`),
    );
    const needed = [...aggregates].flatMap(([category, { aggregate }]) =>
      Object.entries(aggregate.eventSchemas).flatMap(([type, { version }]) =>
        Array.from({ length: version - 1 }, (_, before) => `${category} ${type} ${before + 1}`),
      ),
    );

    expect(needed).toContain("feedback UserRatedOutput 1");
    expect(needed.filter((one) => !kept.has(one))).toEqual([]);
  });

  test.each(files)("%s: every event is read, fits today's schema, and keeps all its fields", async (file) => {
    const store = openLmdbStore({ path: join(await dataWith(logIn(file)), "log"), newId: () => "s" });
    const verdicts: (string | undefined)[] = [];
    for await (const { verdict } of checkLog(storeToCheck(store), { readers })) verdicts.push(verdict);
    await store.close();

    expect(new Set(verdicts)).toEqual(new Set(["sound"]));
    for (const event of logIn(file)) {
      const { aggregate } = aggregates.get(event.category) ?? expect.fail();
      const stored = { ...(event.data as object), fieldOfTomorrow: { any: ["thing"] } };
      const read = readEvent(aggregate, { ...event, data: stored });
      expect(read).toMatchObject({ event: { data: { fieldOfTomorrow: { any: ["thing"] } } } });
    }
  });
});

describe("ratings that were stored as version 1", () => {
  const log = logIn("feedback-user-rated-output-v1.jsonl");
  const of = (stream: string) => log.filter((event) => event.stream === stream);
  const scale = { min: 1, max: 5 };
  const question = { requestId: "i-1002", modelId: "support-answers", modelVersion: "2025-05-30" };
  let runtime: TestRuntime;
  let edge: Edge;
  let feedback: Aggregate;

  beforeAll(async () => {
    feedback = (await loadActors([builtInActors])).aggregates.get("feedback")?.aggregate ?? expect.fail();
    runtime = await startRuntime({ dataDir: await dataWith(log) });
    edge = await openEdge(runtime.url);
  });

  test("are on the scale from 1 to 5 that everybody had in mind, unless they named another", () => {
    const { value, context } = fold(feedback, of("feedback-i-1001"));

    expect(value).toBe("closed");
    expect(context.recent).toEqual([
      {
        eventId: "01JXB5K3A0T7QZ4N8M2V6W9RDE",
        isRetracted: false,
        signal: {
          type: "UserRatedOutput",
          occurredAt: "2025-06-10T08:15:02.114Z",
          data: {
            ...{ rating: 1, scale, negative: true, sessionId: "s-77", userSegment: "pro" },
            context: { requestId: "i-1001", modelId: "support-answers", modelVersion: "2025-05-30" },
          },
        },
      },
      {
        eventId: "01JXB5P6E4J1ZR7T9Q3W5A2HCN",
        isRetracted: false,
        signal: {
          type: "CorrectionSubmitted",
          occurredAt: "2025-06-10T08:17:21.500Z",
          data: { userSegment: "pro", context: { requestId: "i-1001" } },
        },
      },
      {
        eventId: "01JXQ2T4J8M5DV1X3T7A9E6KFQ",
        isRetracted: false,
        signal: {
          type: "UserRatedOutput",
          occurredAt: "2025-06-15T14:02:10.000Z",
          data: { rating: 40, scale: { min: 0, max: 100 }, negative: true, sourceApplication: "survey" },
        },
      },
    ]);
  });

  test("stand beside those of version 2, and can be retracted like them", () => {
    const { value, context } = fold(feedback, of("feedback-i-1002"));
    const signals = context.recent as { isRetracted: boolean; signal: { data: unknown } }[];

    expect(value).toBe("open");
    expect(signals.map(({ isRetracted, signal }) => [isRetracted, signal.data])).toEqual([
      [true, { rating: 4, scale, negative: false, context: question }],
      [false, { rating: 3, scale, negative: false }],
      [false, { rating: 4, scale: { min: 0, max: 10 }, negative: true }],
    ]);
  });

  test("are shown as they were written by history, events and JetStream, and as they count now by state", async () => {
    const history = await edge.query("history", { category: "feedback", id: "i-1001" });
    const events = await edge.query("events", { types: ["UserRatedOutput"] });
    const state = await edge.query("state", { category: "feedback", id: "i-1001", atVersion: 1 });
    const nats = await connect(runtime.url);
    await relayCaughtUp(nats);

    expect(history.events).toEqual(of("feedback-i-1001"));
    expect(events.events).toEqual(log.filter(({ type }) => type === "UserRatedOutput"));
    await assertStreamHolds(nats, log);
    expect(state.state.context.recent).toMatchObject([{ signal: { data: { rating: 1, scale, negative: true } } }]);
  });

  test("are followed by new ones of version 2, and a retraction says what readers counted", async () => {
    const eventId = of("feedback-i-1002")[1]?.id;
    await edge.command("feedback.i-1002.RateOutput", { rating: 5 });
    await edge.command("feedback.i-1002.RetractFeedback", { eventId });
    const { events } = await edge.query("history", { category: "feedback", id: "i-1002", fromVersion: 5 });

    expect(events).toMatchObject([
      { type: "UserRatedOutput", schemaVersion: 2, data: { rating: 5, scale, negative: false } },
      {
        type: "FeedbackRetracted",
        schemaVersion: 1,
        data: { eventId, signal: { type: "UserRatedOutput", data: { rating: 3, scale, negative: false } } },
      },
    ]);
  });

  test("are version 2 in the catalog, with the fields of today", async () => {
    const catalog = JSON.parse((await edge.request("qry.catalog")).body.toString()) as {
      categories: { feedback: { events: Record<string, { version: number; schema: { required?: string[] } }> } };
    };
    const { events } = catalog.categories.feedback;

    expect(events.UserRatedOutput).toMatchObject({ version: 2, schema: { required: ["rating", "scale", "negative"] } });
    expect(events.CorrectionSubmitted?.version).toBe(1);
  });
});
