/** PROTOCOL.md, Queries, sentence by sentence, over a plain socket. */
import { Packr } from "msgpackr";
import { beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import {
  builtInCategories,
  type Edge,
  errorOf,
  fresh,
  openEdge,
  type ReplyBody,
  read,
  type WireEvent,
} from "./edge.ts";

const pageBytes = 512 * 1024;
let edge: Edge;

beforeAll(async () => {
  const runtime = await startRuntime({ dataDir: tempDir() });
  edge = await openEdge(runtime.url);
});

const atDay = (day: number) => ({ "Retrace-Occurred-At": `2024-03-0${day}T00:00:00Z` });

/** A run with a start and four steps, recorded at times of their own, which occurred on the days 1 to 5 of a March. */
async function longRun(): Promise<{ id: string; events: readonly WireEvent[] }> {
  const id = fresh("run");
  await edge.command(`training-run.${id}.StartTraining`, {}, atDay(1));
  for (let step = 1; step <= 4; step++) {
    await nextMillisecond();
    await edge.command(`training-run.${id}.RecordProgress`, { step, loss: 1 / step }, atDay(step + 1));
  }
  return { id, events: (await edge.query("history", { category: "training-run", id })).events };
}

/** Until the log would record something later than what it has. */
async function nextMillisecond(): Promise<void> {
  const now = Date.now();
  await eventually("the clock goes on", () => Date.now() > now);
}

const stateOf = (id: string, at: Readonly<Record<string, unknown>> = {}) =>
  edge.query("state", { category: "training-run", id, ...at });

describe("state", () => {
  test("has exactly the fields of the contract", async () => {
    const { id, events } = await longRun();
    const last = events[4] as WireEvent;

    expect(await stateOf(id)).toEqual({
      stream: `training-run-${id}`,
      version: 5,
      position: last.position,
      recordedAt: last.recordedAt,
      state: { value: "running", status: "active", context: expect.objectContaining({ step: 4 }) },
    });
  });

  test("as of a version, a position, a recorded and an occurred time includes that point", async () => {
    const { id, events } = await longRun();
    const third = events[2] as WireEvent;
    const points = [
      { atVersion: 3 },
      { atPosition: third.position },
      { atRecorded: third.recordedAt },
      { atOccurred: third.occurredAt },
    ];
    for (const at of points) {
      expect(await stateOf(id, at)).toMatchObject({
        version: 3,
        position: third.position,
        recordedAt: third.recordedAt,
        state: { context: { step: 2 } },
      });
    }
  });

  test("as of a point between two events is that after the first", async () => {
    const { id, events } = await longRun();
    await edge.command(`dataset.${fresh("d")}.IngestData`);
    const last = events[4] as WireEvent;

    expect(await stateOf(id, { atOccurred: "2024-03-03T17:00:00+05:00" })).toMatchObject({ version: 3 });
    expect(await stateOf(id, { atPosition: last.position + 1 })).toMatchObject({ version: 5 });
  });

  test("past the head is that at the head", async () => {
    const { id } = await longRun();
    const now = await stateOf(id);
    const future = "2999-01-01T00:00:00Z";
    for (const at of [
      { atVersion: 6 },
      { atVersion: 1_000_000_000 },
      { atPosition: 1_000_000_000 },
      { atRecorded: future },
      { atOccurred: future },
    ]) {
      expect(await stateOf(id, at)).toEqual(now);
    }
  });

  test("before the first event is NOT_FOUND", async () => {
    const { id, events } = await longRun();
    const first = events[0] as WireEvent;
    const past = "2001-01-01T00:00:00Z";
    for (const at of [
      { atVersion: 0 },
      { atPosition: 0 },
      { atPosition: first.position - 1 },
      { atRecorded: past },
      { atOccurred: past },
    ]) {
      errorOf(await edge.request("qry.state", { category: "training-run", id, ...at }), "NOT_FOUND");
    }
  });

  test("of a stream that does not exist is NOT_FOUND", async () => {
    errorOf(await edge.request("qry.state", { category: "training-run", id: fresh("none") }), "NOT_FOUND");
  });

  test("by occurred time leaves out what was recorded earlier but occurred later", async () => {
    const id = fresh("thread");
    await edge.command(`feedback.${id}.ScoreReward`, { score: 1 }, atDay(5));
    await edge.command(`feedback.${id}.ScoreReward`, { score: 2 }, atDay(2));
    await edge.command(`feedback.${id}.ScoreReward`, { score: 3 }, atDay(4));
    const reply = await edge.query("state", { category: "feedback", id, atOccurred: "2024-03-04T00:00:00Z" });

    expect(reply.version).toBe(3);
    const recent = reply.state.context.recent as readonly { signal: { data: { score: number } } }[];
    expect(recent.map(({ signal }) => signal.data.score)).toEqual([2, 3]);
  });

  test("by occurred time names the event that the chart refuses", async () => {
    const id = fresh("run");
    await edge.command(`training-run.${id}.StartTraining`, {}, atDay(5));
    await edge.command(`training-run.${id}.RecordProgress`, { step: 1 }, atDay(2));
    const message = await edge.request("qry.state", {
      category: "training-run",
      id,
      atOccurred: "2024-03-03T00:00:00Z",
    });

    expect(errorOf(message, "INVALID_QUERY")).toMatchObject({
      issues: [{ path: "atOccurred" }],
      stream: `training-run-${id}`,
      version: 2,
      type: "TrainingProgress",
    });
  });
});

/** All pages of a query, each asked with the `next` of the one before. */
async function pages(name: string, body: object, nextField: string): Promise<ReplyBody[]> {
  const all: ReplyBody[] = [];
  for (let next: number | null | undefined; next !== null; ) {
    const reply: ReplyBody = await edge.query(name, next === undefined ? body : { ...body, [nextField]: next });
    all.push(reply);
    next = reply.next;
  }
  return all;
}

const versions = (reply: ReplyBody) => reply.events.map(({ version }) => version);

describe("history", () => {
  test("shows recorded events exactly as the contract does", async () => {
    const id = fresh("run");
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const headers = { "Nats-Msg-Id": "start", "Retrace-Actor": "ada", traceparent };
    const reply = await edge.command(`training-run.${id}.StartTraining`, { seed: 7 }, headers);
    const { events, next } = await edge.query("history", { category: "training-run", id });

    expect(next).toBeNull();
    expect(events).toEqual([
      {
        id: reply.events[0]?.id,
        position: reply.position,
        stream: `training-run-${id}`,
        category: "training-run",
        version: 1,
        type: "TrainingStarted",
        schemaVersion: 1,
        data: { seed: 7 },
        occurredAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        recordedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        metadata: {
          correlationId: "start",
          causationId: "start",
          commandId: "start",
          actor: { id: "ada", verified: false },
          traceparent,
        },
      },
    ]);
  });

  test("pages by limit; next is the version to go on from, and null at the end", async () => {
    const { id } = await longRun();
    const of = { category: "training-run", id };
    const all = await pages("history", { ...of, limit: 2 }, "fromVersion");

    expect(all.map(versions)).toEqual([[1, 2], [3, 4], [5]]);
    expect(all.map(({ next }) => next)).toEqual([3, 5, null]);
    expect(versions(await edge.query("history", { ...of, fromVersion: 4 }))).toEqual([4, 5]);
    expect((await edge.query("history", { ...of, limit: 5 })).next).toBeNull();
  });

  test("past the end of a stream is an empty page, and of no stream NOT_FOUND", async () => {
    const { id } = await longRun();

    expect(await edge.query("history", { category: "training-run", id, fromVersion: 6 })).toEqual({
      events: [],
      next: null,
    });
    errorOf(await edge.request("qry.history", { category: "training-run", id: fresh("none") }), "NOT_FOUND");
  });

  test("has 100 events a page where no limit is given", async () => {
    const id = fresh("run");
    await edge.command(`training-run.${id}.StartTraining`);
    await Promise.all(
      Array.from({ length: 150 }, (_, step) => edge.command(`training-run.${id}.RecordProgress`, { step })),
    );
    const all = await pages("history", { category: "training-run", id }, "fromVersion");

    expect(all.map(({ events }) => events.length)).toEqual([100, 51]);
    expect((await edge.query("history", { category: "training-run", id, limit: 1_000 })).events).toHaveLength(151);
  });

  test.each([
    ["ASCII", "x"],
    ["three bytes a character", "語"],
    ["bytes that JSON writes as six", "\u0001"],
  ])("ends a page at 512 KiB of %s", async (_, character) => {
    const id = fresh("thread");
    const size = Math.floor((200 * 1024) / (JSON.stringify(character).length === 3 ? Buffer.byteLength(character) : 6));
    for (let i = 0; i < 5; i++) {
      await edge.command(`feedback.${id}.SubmitCorrection`, { corrected: character.repeat(size) });
    }
    const of = { category: "feedback", id };
    const sizes: number[] = [];
    const counts: number[] = [];
    for (let fromVersion: number | null = 1; fromVersion !== null; ) {
      const message = await edge.request("qry.history", { ...of, fromVersion });
      const reply: ReplyBody = read(message);
      sizes.push(message.body.length);
      counts.push(reply.events.length);
      fromVersion = reply.next;
    }

    expect(counts).toEqual([2, 2, 1]);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(pageBytes);
  });
});

describe("events", () => {
  test("come in the order of the log, paged, after a position", async () => {
    const { events } = await longRun();
    const afterPosition = (events[0] as WireEvent).position - 1;
    const all = await pages("events", { afterPosition, limit: 2 }, "afterPosition");

    expect(all.flatMap((page) => page.events)).toEqual(events);
    expect(all.map(({ next }) => next)).toEqual([afterPosition + 2, afterPosition + 4, null]);
    const head = await edge.position();
    expect(await edge.query("events", { afterPosition: head })).toEqual({ events: [], next: null });
    expect(await edge.query("events", { afterPosition: head + 1_000_000 })).toEqual({ events: [], next: null });
  });

  test("are the whole log without a gap when all pages are read", async () => {
    const all = await pages("events", { limit: 7 }, "afterPosition");
    const positions = all.flatMap((page) => page.events.map(({ position }) => position));

    expect(positions).toEqual(Array.from({ length: await edge.position() }, (_, i) => i + 1));
  });

  test("end a page at 512 KiB", async () => {
    const afterPosition = await edge.position();
    for (let i = 0; i < 5; i++) {
      await edge.command(`training-run.${fresh("big")}.StartTraining`, { config: "x".repeat(200 * 1024) });
    }
    const all = await pages("events", { afterPosition }, "afterPosition");

    expect(all.map(({ events }) => events.length)).toEqual([2, 2, 1]);
  });

  test("are filtered by every condition, all of them together", async () => {
    const { id, events } = await longRun();
    const conversation = fresh("conversation");
    const headers = { "Retrace-Correlation-Id": conversation };
    const dataset = await edge.command(`dataset.${fresh("d")}.IngestData`, {}, headers);
    const ended = await edge.command(`training-run.${id}.CancelTraining`, {}, headers);
    const all = [...events.map(({ position }) => position), dataset.position, ended.position];
    const afterPosition = (all[0] as number) - 1;
    const found = async (filter: object) =>
      (await edge.query("events", { afterPosition, ...filter })).events.map(({ position }) => position);

    expect(await found({})).toEqual(all);
    expect(await found({ categories: ["training-run"] })).toEqual([...all.slice(0, 5), ended.position]);
    expect(await found({ categories: ["training-run", "dataset"] })).toEqual(all);
    expect(await found({ types: ["TrainingStarted", "DataIngested"] })).toEqual([all[0], dataset.position]);
    expect(await found({ correlationId: conversation })).toEqual([dataset.position, ended.position]);
    expect(await found({ correlationId: conversation, categories: ["dataset"] })).toEqual([dataset.position]);
    expect(await found({ correlationId: conversation, types: ["TrainingStarted"] })).toEqual([]);
    expect(await found({ categories: ["nothing"] })).toEqual([]);
  });

  test("since is inclusive and until exclusive, of the recorded time", async () => {
    const { events } = await longRun();
    const afterPosition = (events[0] as WireEvent).position - 1;
    const [, second, , fourth] = events as [WireEvent, WireEvent, WireEvent, WireEvent];
    const found = async (filter: object) => versions(await edge.query("events", { afterPosition, ...filter }));

    expect(await found({ since: second.recordedAt })).toEqual([2, 3, 4, 5]);
    expect(await found({ until: fourth.recordedAt })).toEqual([1, 2, 3]);
    expect(await found({ since: second.recordedAt, until: fourth.recordedAt, by: "recorded" })).toEqual([2, 3]);
    expect(await found({ since: fourth.recordedAt, until: second.recordedAt })).toEqual([]);
  });

  test("by occurred means the time in the world, in whatever zone it is asked", async () => {
    const { events } = await longRun();
    const afterPosition = (events[0] as WireEvent).position - 1;
    const found = async (filter: object) =>
      versions(await edge.query("events", { afterPosition, by: "occurred", ...filter }));

    expect(await found({ since: "2024-03-02T00:00:00Z", until: "2024-03-04T00:00:00Z" })).toEqual([2, 3]);
    expect(await found({ since: "2024-03-02T05:00:00+05:00" })).toEqual([2, 3, 4, 5]);
  });
});

describe("health", () => {
  test("tells the position, how far the relay is, and what the process holds", async () => {
    const { position } = await edge.command(`dataset.${fresh("d")}.IngestData`);
    await eventually("the relay has everything", async () => {
      const { relay } = (await edge.query("health")) as unknown as { relay: { lagEvents: number } };
      return relay.lagEvents === 0;
    });

    expect(await edge.query("health")).toEqual({
      status: "ok",
      position,
      relay: { status: "relaying", position, lagEvents: 0, lagMs: 0 },
      projections: expect.arrayContaining([
        expect.objectContaining({ name: "training-summaries", version: expect.any(Number), mode: "async", parked: 0 }),
      ]),
      sagas: expect.arrayContaining([
        {
          name: "review-routing",
          version: 1,
          running: expect.any(Number),
          stuck: 0,
          timers: expect.any(Number),
          policy: { version: 0 },
        },
      ]),
      timers: expect.any(Object),
      store: { id: expect.any(String), events: position, bytes: expect.any(Number) },
      commands: { queued: 0, liveActors: expect.any(Number) },
      process: { pid: expect.any(Number), uptimeMs: expect.any(Number), memoryBytes: expect.any(Number) },
    });
  });

  test("takes an empty body and no fields", async () => {
    expect((await edge.query("health", "")).position).toBeGreaterThan(0);
    expect(errorOf(await edge.request("qry.health", { verbose: true }), "INVALID_QUERY")).toMatchObject({
      issues: [{ path: "verbose" }],
    });
  });
});

interface Catalog {
  readonly categories: Readonly<
    Record<
      string,
      {
        readonly commands: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
        readonly events: Readonly<Record<string, { version: number; schema: Readonly<Record<string, unknown>> }>>;
      }
    >
  >;
  readonly sagas: Readonly<Record<string, { readonly settings: Readonly<Record<string, unknown>> }>>;
  readonly projections: object;
}

describe("catalog", () => {
  test("gives a JSON Schema of draft 2020-12 for every command and event", async () => {
    const { categories, sagas, projections } = (await edge.query("catalog")) as unknown as Catalog;

    expect(Object.keys(categories).toSorted()).toEqual(builtInCategories);
    expect(sagas).toMatchObject({ "review-routing": { version: 1, listens: expect.any(Array) } });
    for (const { settings } of Object.values(sagas)) assertJsonSchema(settings);
    expect(projections).toMatchObject({ "training-summaries": { version: expect.any(Number), mode: "async" } });
    for (const { commands, events } of Object.values(categories)) {
      for (const schema of Object.values(commands)) assertJsonSchema(schema);
      for (const { version, schema } of Object.values(events)) {
        expect(version).toBeGreaterThanOrEqual(1);
        assertJsonSchema(schema);
      }
    }
  });

  test("says what a command requires and that it takes nothing else", async () => {
    const { categories } = (await edge.query("catalog")) as unknown as Catalog;

    expect(categories["training-run"]?.commands.RecordProgress).toMatchObject({
      type: "object",
      required: ["step"],
      additionalProperties: false,
      properties: { step: { type: "integer", minimum: 0 } },
    });
  });
});

const jsonTypes = new Set(["string", "number", "integer", "boolean", "object", "array", "null"]);

/** Whether a validator would compile it: known types, compilable patterns, schemas where schemas belong. */
function assertJsonSchema(schema: Readonly<Record<string, unknown>>): void {
  expect(schema.$schema).toBe("https://json-schema.org/draft/2020-12/schema");
  expect(schema.type).toBe("object");
  assertSubschema(schema);
}

function assertSubschema(schema: unknown): void {
  if (typeof schema === "boolean") return;
  expect(schema).toBeTypeOf("object");
  const { type, pattern, properties, required, items, additionalProperties, anyOf, propertyNames } = schema as Record<
    string,
    unknown
  >;
  if (type !== undefined) expect(jsonTypes).toContain(type);
  if (pattern !== undefined) expect(() => new RegExp(pattern as string, "u")).not.toThrow();
  for (const sub of Object.values(properties ?? {})) assertSubschema(sub);
  for (const name of (required ?? []) as string[]) expect(Object.keys(properties ?? {})).toContain(name);
  for (const sub of (anyOf ?? []) as unknown[]) assertSubschema(sub);
  for (const sub of [items, additionalProperties, propertyNames]) if (sub !== undefined) assertSubschema(sub);
}

describe("every query", () => {
  const { pack, unpack } = new Packr({ useRecords: false });

  test("speaks MessagePack where the request does, also in errors", async () => {
    const { id } = await longRun();
    const headers = { "Content-Type": "application/msgpack" };
    const ask = (body: object) => edge.request("qry.state", pack(body), headers);
    const known = await ask({ category: "training-run", id });
    const unknown = await ask({ category: "training-run", id: fresh("none") });

    expect(known.headers.get("Content-Type")).toBe("application/msgpack");
    expect(unpack(known.body)).toEqual(await stateOf(id));
    expect(unknown.headers.get("Nats-Service-Error-Code")).toBe("404");
    expect(unpack(unknown.body)).toMatchObject({ error: { code: "NOT_FOUND" } });
  });

  test.each(["nothing", "state.extra", "constructor", "State"])("%s is an UNKNOWN_QUERY", async (name) => {
    expect(errorOf(await edge.request(`qry.${name}`, {}), "UNKNOWN_QUERY").known).toEqual([
      "catalog",
      "events",
      "health",
      "history",
      "projection",
      "projection-diff",
      "projection-parked",
      "sagas",
      "state",
      "why",
    ]);
  });

  test.each(["state", "history"])("%s of a category that does not exist is UNKNOWN_CATEGORY", async (name) => {
    for (const category of ["nothing", "No_Such", "constructor"]) {
      const details = errorOf(await edge.request(`qry.${name}`, { category, id: "x" }), "UNKNOWN_CATEGORY");
      expect(details.known).toContain("dataset");
    }
  });
});
