/** `client.replay`: which events come, in which order and when; and a projection in the shadow of a live one. */
import type { RecordedEvent } from "retrace";
import { defineProjection } from "retrace";
import { shadowProjection } from "retrace/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import trainingRun from "../../actors/aggregates/training-run.ts";
import summaries from "../../actors/projections/training-summaries.ts";
import type { RetraceDomain } from "../../schemas/index.ts";
import { type AddressedDomainCommand, type Client, connect } from "../../src/wire/client.ts";
import { type ReplayContext, type ReplayOptions, replay } from "../../src/wire/replay.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";

describe("the pace", () => {
  const minute = (minutes: number): string => new Date(Date.UTC(2026, 0, 1, 0, minutes)).toISOString();
  /** Recorded at minutes 0, 1, 3, 3 and 10; occurred at 5, 0, 7, 6 and 8. */
  const events = [0, 1, 3, 3, 10].map((recorded, i) => {
    const occurred = [5, 0, 7, 6, 8][i] as number;
    return { position: i + 1, recordedAt: minute(recorded), occurredAt: minute(occurred) } as RecordedEvent;
  });

  interface Seen {
    readonly position: number;
    /** On the clock of the test, in seconds. */
    readonly second: number;
  }

  async function seen(options: ReplayOptions, handlerSeconds = 0): Promise<Seen[]> {
    let nowMs = 0;
    const context: ReplayContext = {
      query: async <Reply>(name: string) => (name === "health" ? { position: 5 } : { events, next: null }) as Reply,
      now: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
      },
    };
    const all: Seen[] = [];
    await replay(context, options, ({ position }) => {
      all.push({ position, second: nowMs / 1_000 });
      nowMs += handlerSeconds * 1_000;
    });
    expect(all.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5]);
    return all;
  }

  const seconds = (all: readonly Seen[]): number[] => all.map(({ second }) => second);

  test("is that of recordedAt, scaled", async () => {
    expect(seconds(await seen({ speed: 60 }))).toEqual([0, 1, 3, 3, 10]);
    expect(seconds(await seen({ speed: 0.5 }))).toEqual([0, 120, 360, 360, 1_200]);
    expect(seconds(await seen({}))).toEqual([0, 0, 0, 0, 0]);
  });

  test("is that of occurredAt where asked: what occurred before follows at once", async () => {
    expect(seconds(await seen({ speed: 60, by: "occurred" }))).toEqual([0, 0, 2, 2, 3]);
  });

  test("waits for the handler, which catches up", async () => {
    expect(seconds(await seen({ speed: 60 }, 1.5))).toEqual([0, 1.5, 3, 4.5, 10]);
    expect(seconds(await seen({ speed: 60 }, 4))).toEqual([0, 4, 8, 12, 16]);
  });

  test("ends at once when the signal comes while it waits", async () => {
    const abort = new AbortController();
    const context: ReplayContext = {
      query: async <Reply>(name: string) => (name === "health" ? { position: 5 } : { events, next: null }) as Reply,
      now: () => 0,
      sleep: async () => {
        abort.abort();
        throw new Error("woken");
      },
    };
    const replayed = await replay(context, { speed: 1, signal: abort.signal }, () => {});
    expect(replayed).toEqual({ outcome: "aborted", events: 1, firstPosition: 1, lastPosition: 1, toPosition: 5 });
  });
});

describe("of a log", () => {
  let client: Client<RetraceDomain>;
  /** Recorded before the second half was sent. */
  let middle: { readonly position: number; readonly recordedAt: string };

  const years = (id: string) => ({ occurredAt: id === "a" ? "2020-01-01T00:00:00Z" : "2021-01-01T00:00:00Z" });

  beforeAll(async () => {
    client = await connect({ servers: (await startRuntime({ dataDir: tempDir() })).url });
    for (const id of ["a", "b"]) {
      await client.send("training-run", id, { type: "StartTraining", data: {} }, years(id));
      const steps = Array.from({ length: 1_100 }, (_, step): AddressedDomainCommand<RetraceDomain> => {
        const command = { type: "RecordProgress", data: { step, loss: 1 / (step + 1) } } as const;
        return { category: "training-run", id, command, options: years(id) };
      });
      for await (const { fault } of client.sendMany(steps)) if (fault !== undefined) throw fault;
      if (id === "a") {
        await client.send("dataset", "d", { type: "IngestData", data: {} });
        const { position, recordedAt } = await client.state("dataset", "d");
        middle = { position, recordedAt };
      }
    }
  });

  afterAll(() => client?.close());

  async function positions(options: ReplayOptions<keyof RetraceDomain & string, never>) {
    const all: number[] = [];
    const replayed = await client.replay(options, ({ position }: RecordedEvent) => all.push(position));
    return { all, replayed };
  }

  const between = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

  test("every event comes once, in order, up to where it ended when the replay began", async () => {
    const told: unknown[] = [];
    const { all, replayed } = await positions({ onProgress: (progress) => told.push(progress) });
    expect(all).toEqual(between(1, 2_203));
    expect(replayed).toEqual({
      outcome: "completed",
      events: 2_203,
      firstPosition: 1,
      lastPosition: 2_203,
      toPosition: 2_203,
    });
    expect(told[1_500]).toEqual({ events: 1_501, position: 1_501, toPosition: 2_203 });
    expect(told).toHaveLength(2_203);
  });

  test("positions are inclusive, recorded times from and before, and both go together with categories and types", async () => {
    expect((await positions({ from: 7, to: 1_102 })).all).toEqual(between(7, 1_102));
    expect((await positions({ categories: ["dataset"] })).all).toEqual([middle.position]);
    const { recordedAt } = middle;
    const before = await positions({ to: recordedAt });
    const after = await positions({ from: new Date(recordedAt) });
    expect([...before.all, ...after.all]).toEqual(between(1, 2_203));
    expect(after.all).toContain(middle.position);
    expect(before.replayed.toPosition).toBe(before.all.at(-1));
    expect((await positions({ from: 2_204 })).replayed).toMatchObject({ events: 0, firstPosition: null });
  });

  test("times are those of the world where asked", async () => {
    const { all } = await positions({ by: "occurred", from: "2020-06-01T00:00:00Z", to: new Date("2022-01-01") });
    expect(all).toEqual(between(middle.position + 1, 2_203));
  });

  test("the next event waits for the handler, whose failure ends it, and so does the signal", async () => {
    let running = 0;
    const abort = new AbortController();
    const seen: number[] = [];
    const replayed = await client.replay({ from: 990, signal: abort.signal }, async ({ position }) => {
      running += 1;
      await new Promise(setImmediate);
      expect(running).toBe(1);
      running -= 1;
      seen.push(position);
      if (position === 1_010) abort.abort();
    });
    expect(seen).toEqual(between(990, 1_010));
    expect(replayed).toMatchObject({ outcome: "aborted", events: 21, lastPosition: 1_010 });

    const failing = client.replay({ from: 5 }, ({ position }) => {
      if (position === 9) throw new Error("nine");
    });
    await expect(failing).rejects.toThrow("nine");
  });

  test.each<[ReplayOptions<keyof RetraceDomain & string, never>, string]>([
    [{ from: 0 }, "from"],
    [{ from: 99_999 }, "from"],
    [{ to: 99_999 }, "to"],
    [{ to: new Date("never") }, "to"],
    [{ to: "yesterday" }, "since"],
    [{ speed: 0 }, "speed"],
    [{ speed: Number.NaN }, "speed"],
  ])("refuses %j", async (options, path) => {
    await expect(client.replay(options, () => {})).rejects.toMatchObject({
      code: "INVALID_QUERY",
      details: { issues: [expect.objectContaining({ path })] },
    });
  });

  test("a shadow of a live projection has its rows, and one that counts otherwise shows what it would change", async () => {
    const same = shadowProjection(summaries, { aggregates: [trainingRun] });
    const { toPosition } = await client.replay({ categories: ["training-run"], to: 1_500 }, same.apply);
    const comparison = await same.compare(client, { atPosition: toPosition });
    expect(comparison).toEqual({ version: summaries.version, compared: 2, differences: [] });
    expect(Object.keys(same.rows())).toEqual(["a", "b"]);

    const other = shadowProjection<{ steps: number }>(
      defineProjection<{ steps: number }>({
        name: "training-summaries",
        version: summaries.version + 1,
        mode: "async",
        on: {
          TrainingProgress: {
            key: ({ stream }) => (stream.endsWith("-a") ? "a" : "c"),
            apply: (row, { data }) => {
              if ((data as { step: number }).step === 13) throw new Error("thirteen");
              return { steps: (row?.steps ?? 0) + 1 };
            },
          },
        },
      }),
    );
    await client.replay({}, other.apply);
    expect(other.rows()).toEqual({ a: { steps: 1_099 }, c: { steps: 1_099 } });
    expect(other.parked).toMatchObject([
      { stream: "training-run-a", reason: "thirteen" },
      { stream: "training-run-b" },
    ]);
    const { compared, differences } = await other.compare(client, { atPosition: 2_203 });
    expect(compared).toBe(3);
    expect(differences).toEqual([
      { key: "a", shadow: { steps: 1_099 }, live: expect.objectContaining({ status: "running" }) },
      { key: "b", live: expect.anything() },
      { key: "c", shadow: { steps: 1_099 } },
    ]);
  });
});
