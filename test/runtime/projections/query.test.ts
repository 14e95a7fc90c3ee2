/** The query `projection` over real NATS, with the store on disk: a runtime in this process. */
import { createRuntime, defineProjection, type EventStore, type Projection, type Runtime } from "retrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { takeActors } from "../../../src/runtime/loader.ts";
import { openLmdbStore } from "../../../src/store/lmdb.ts";
import { type Edge, errorOf, openEdge, type ReplyBody, read } from "../../protocol/edge.ts";
import { connect } from "../../support/connections.ts";
import { eventually } from "../../support/eventually.ts";
import { startNats } from "../../support/nats.ts";
import { tempDir } from "../../support/temp.ts";
import { append, event, openProjections, type PieceSchemas, piece, pieces } from "./pieces.ts";

interface Reply extends ReplyBody {
  readonly name: string;
  readonly rows: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
}

/** Each move in a row of its own. */
const movesByPosition = defineProjection<unknown, PieceSchemas>({
  name: "moves",
  version: 3,
  mode: "sync",
  description: "each move",
  indexes: ["by"],
  on: {
    Moved: {
      key: ({ position }) => `m${String(position).padStart(6, "0")}`,
      apply: (_row, { stream, data, position }) => {
        return { by: data.by, parity: { even: position % 2 === 0 }, stream, text: "x".repeat(data.by) };
      },
    },
  },
});

const definitions = [pieces(), movesByPosition, pieces({ name: "later", mode: "async" })];
let store: EventStore;
let runtime: Runtime;
let edge: Edge;

beforeAll(async () => {
  const { url } = await startNats();
  store = openLmdbStore({ path: tempDir(), newId: () => "id" });
  const projections = new Map<string, Projection>(definitions.map((projection) => [projection.name, projection]));
  const actors = { ...takeActors([piece]), projections };
  runtime = await createRuntime({ store, nats: await connect(url), actors });
  edge = await openEdge(url);
});

afterAll(async () => {
  await runtime.close({ drainMs: 0 });
  await store.close();
});

const ask = async (body: unknown): Promise<Reply> => (await edge.query("projection", body)) as Reply;
const fault = async (code: string, body: unknown) => errorOf(await edge.request("qry.projection", body), code);

describe("over NATS", () => {
  test("whoever has the reply to a command reads its rows", async () => {
    for (let i = 1; i <= 50; i++) {
      const { position } = await edge.command("piece.mine.Move", { by: 1 });
      const { rows } = await ask({ name: "pieces", key: "piece/piece-mine" });
      expect(rows).toEqual([{ key: "piece/piece-mine", value: { moves: i, distance: i } }]);
      expect(await ask({ name: "moves", key: `m${String(position).padStart(6, "0")}` })).toMatchObject({ position });
    }
  });

  test("the reply has exactly the fields of the contract", async () => {
    const { position } = await edge.command("piece.whole.Move", { by: 2 });

    expect(await ask({ name: "pieces", key: "piece/piece-whole" })).toEqual({
      name: "pieces",
      version: 1,
      position,
      rows: [{ key: "piece/piece-whole", value: { moves: 1, distance: 2 } }],
      next: null,
    });
  });

  test("pages of a prefix go through its rows once each, in the order of keys, also while rows are added", async () => {
    for (let i = 0; i < 25; i++) await edge.command(`piece.page-${i}.Move`, { by: 1 });
    const keys: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const { rows, next } = await ask({ name: "pieces", prefix: "piece/piece-page-", limit: 4, cursor });
      keys.push(...rows.map(({ key }) => key));
      if (next === null) break;
      cursor = next as unknown as string;
      await edge.command(`piece.page-0${keys.length}.Move`, { by: 1 });
    }

    expect(keys).toEqual(keys.toSorted());
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys).toEqual(expect.arrayContaining(Array.from({ length: 25 }, (_, i) => `piece/piece-page-${i}`)));
  });

  test("a page ends at 512 KiB, too", async () => {
    const { position } = await edge.command("piece.large.Move", { by: 200_000 });
    for (let i = 0; i < 3; i++) await edge.command("piece.large.Move", { by: 200_000 });
    const cursor = `m${String(position - 1).padStart(6, "0")}`;

    const { rows, next } = await ask({ name: "moves", cursor });
    expect(rows).toHaveLength(2);
    expect(next).toBe(rows[1]?.key);
    expect((await ask({ name: "moves", cursor: next })).rows).toHaveLength(2);
  });

  test("where finds what is equal in all the fields it names, however rare", async () => {
    await append(
      store,
      openProjections(store, definitions),
      Array.from({ length: 2_500 }, (_, i) => event("many", "Moved", { by: i % 1_250 === 1_249 ? 77 : 3 })),
    );
    const { rows, next } = await ask({ name: "moves", where: { by: 77, stream: "piece-many" } });
    expect(rows.map(({ value }) => value.by)).toEqual([77, 77]);
    expect(next).toBeNull();

    const first = await ask({ name: "moves", where: { "parity.even": true, by: 3 }, limit: 1 });
    const second = await ask({ name: "moves", where: { "parity.even": true, by: 3 }, limit: 1, cursor: first.next });
    expect([...first.rows, ...second.rows].map(({ value }) => value.parity)).toEqual([{ even: true }, { even: true }]);
    expect(second.rows[0]?.key).not.toBe(first.rows[0]?.key);
    expect((await ask({ name: "moves", where: { missing: null } })).rows).toEqual([]);
  });

  test("where finds ranges in the order of an indexed field, page by page", async () => {
    const by: unknown[] = [];
    for (let cursor: string | undefined; ; ) {
      const { rows, next } = await ask({ name: "moves", where: { by: { gt: 3, lt: 100 } }, limit: 1, cursor });
      by.push(...rows.map(({ value }) => value.by));
      if (next === null) break;
      cursor = next as unknown as string;
    }
    expect(by).toEqual([77, 77]);
    expect(await fault("INVALID_QUERY", { name: "moves", where: { by: { gt: 3 } }, cursor: "m1" })).toMatchObject({
      issues: [{ path: "cursor" }],
    });
  });

  test("atPosition shows the rows as they were then, and past the head as they are", async () => {
    const { position } = await edge.command("piece.past.Move", { by: 5 });
    await edge.command("piece.past.Move", { by: 6 });
    const key = "piece/piece-past";

    expect(await ask({ name: "pieces", key, atPosition: position })).toMatchObject({
      position,
      rows: [{ key, value: { moves: 1, distance: 5 } }],
    });
    expect(await ask({ name: "pieces", prefix: key, atPosition: position })).toMatchObject({
      position,
      rows: [{ key }],
    });
    expect(await fault("NOT_FOUND", { name: "pieces", key, atPosition: position - 1 })).toMatchObject({ key });
    expect(await ask({ name: "pieces", key, atPosition: 1_000_000 })).toMatchObject({
      position: position + 1,
      rows: [{ value: { moves: 2, distance: 11 } }],
    });
    expect((await ask({ name: "pieces", atPosition: 0 })).rows).toEqual([]);
  });

  test("minPosition is waited for, and answered PROJECTION_BEHIND when it does not come", async () => {
    const { position } = await edge.command("piece.mine.Move", { by: 1 });
    expect((await ask({ name: "pieces", minPosition: position, timeoutMs: 0 })).position).toBeGreaterThanOrEqual(
      position,
    );
    expect(await fault("PROJECTION_BEHIND", { name: "pieces", minPosition: position + 5, timeoutMs: 0 })).toMatchObject(
      {
        name: "pieces",
        position,
        minPosition: position + 5,
      },
    );

    const waiting = ask({ name: "pieces", minPosition: position + 2, timeoutMs: 20_000 });
    await edge.command("piece.mine.Move", { by: 1 });
    await edge.command("piece.mine.Move", { by: 1 });
    expect((await waiting).position).toBe(position + 2);
  });

  test("what is not there is refused with the code that says so", async () => {
    expect(await fault("NOT_FOUND", { name: "pieces", key: "piece/nobody" })).toMatchObject({ key: "piece/nobody" });
    expect(await fault("UNKNOWN_QUERY", { name: "nothing" })).toEqual({ known: ["later", "moves", "pieces"] });
    expect((await ask({ name: "pieces", prefix: "nobody" })).rows).toEqual([]);
  });

  test.each([
    ["name", {}],
    ["key", { name: "pieces", key: "a", prefix: "b" }],
    ["key", { name: "pieces", key: "" }],
    ["key", { name: "pieces", key: "x".repeat(513) }],
    ["limit", { name: "pieces", limit: 1_001 }],
    ["cursor", { name: "pieces", cursor: 7 }],
    ["where.a", { name: "pieces", where: { a: [1] } }],
    ["where.a", { name: "pieces", where: { a: {} } }],
    ["where.a", { name: "pieces", where: { a: { over: 1 } } }],
    ["atPosition", { name: "pieces", atPosition: -1 }],
    ["colour", { name: "pieces", colour: "red" }],
  ])("a body with a wrong %s is INVALID_QUERY", async (path, body) => {
    const { issues } = await fault("INVALID_QUERY", body);
    expect(issues).toContainEqual({ path, message: expect.any(String) });
  });

  test("health and catalog show the projections", async () => {
    const health = (await edge.query("health")) as unknown as { projections: unknown[] };
    expect(health.projections).toMatchObject([
      { name: "pieces", version: 1, mode: "sync", status: "live", lagEvents: 0, lagMs: 0, parked: 0 },
      { name: "moves", version: 3, mode: "sync", status: "live" },
      { name: "later", mode: "async", position: expect.any(Number), lagEvents: expect.any(Number) },
    ]);
    const catalog = (await edge.query("catalog")) as unknown as { projections: unknown };
    expect(catalog.projections).toEqual({
      pieces: { version: 1, mode: "sync" },
      moves: { version: 3, mode: "sync", description: "each move" },
      later: { version: 1, mode: "async" },
    });
  });
});

test("a runtime over a log that has no rows yet builds them, and says meanwhile that it does", async () => {
  const { url } = await startNats();
  const path = tempDir();
  const old = openLmdbStore({ path, newId: () => "id" });
  await append(
    old,
    openProjections(old, []),
    Array.from({ length: 20_000 }, () => event("a", "Moved", { by: 1 })),
  );
  const projections = new Map<string, Projection>([["pieces", pieces()]]);
  const actors = { ...takeActors([piece]), projections };
  const building = await createRuntime({ store: old, nats: await connect(url), actors });
  const other = await openEdge(url);
  const codes = new Set<string>();
  const rows = await eventually("the rows are there", async () => {
    const reply = read(await other.request("qry.projection", { name: "pieces", key: "all" })) as Reply;
    if (reply.error === undefined) return reply.rows;
    codes.add(reply.error.code);
    return undefined;
  });

  expect(rows).toEqual([{ key: "all", value: { moves: 20_000, distance: 20_000 } }]);
  expect([...codes].filter((code) => code !== "PROJECTION_BEHIND")).toEqual([]);
  await building.close({ drainMs: 0 });
  await old.close();
});
