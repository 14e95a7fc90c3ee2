/** Walking the lineage: what is reached, how far away, and as of when. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Edge } from "../../actors/projections/lineage/graph.ts";
import { addFindings, emptyGraph, type Graph, pictureOf } from "../../actors/verbs/lineage/picture.ts";
import { textOf } from "../../actors/verbs/lineage/print-text.ts";
import { type Direction, openLineage, type Reader } from "../../actors/verbs/lineage/rows.ts";
import { findStart, type Reached, walk } from "../../actors/verbs/lineage/walk.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { tempDir } from "../support/temp.ts";
import { anyHistory, happened, readerOf } from "./setting.ts";

interface Found {
  readonly start: readonly Reached[];
  readonly things: readonly Reached[];
  readonly edges: readonly Edge[];
}

interface From {
  readonly category: string;
  readonly id: string;
  readonly version?: string;
  readonly direction: Direction;
  readonly depth?: number;
  readonly at?: number;
}

const thing = { category: "dataset", id: "a" };

async function walked(reader: Reader, from: From): Promise<Found> {
  const { direction, depth = Number.POSITIVE_INFINITY, at, ...rest } = from;
  const rows = await openLineage(reader, at);
  const start = await findStart(rows, rest);
  const [things, edges]: [Reached[], Edge[]] = [[], []];
  for await (const findings of walk(rows, start, { direction, depth })) {
    things.push(...findings.things);
    edges.push(...findings.edges);
  }
  return { start, things, edges };
}

async function graphOf(reader: Reader, from: From): Promise<Graph> {
  const { direction, depth = Number.POSITIVE_INFINITY, at, ...rest } = from;
  const rows = await openLineage(reader, at);
  const graph = emptyGraph(direction, await findStart(rows, rest));
  for await (const findings of walk(rows, graph.start, { direction, depth })) addFindings(graph, findings);
  return graph;
}

/** All nodes, whether they can be reached or not. */
async function everything(reader: Reader): Promise<Reached["node"][]> {
  const rows = await openLineage(reader);
  return (await rows.nodesUnder("")).map(({ node }) => node);
}

const direction = fc.constantFrom<Direction>("up", "down");

describe("the laws:", () => {
  test("down is the inverse of up, and each thing is reached once, the nearest first", async () => {
    await fc.assert(
      fc.asyncProperty(anyHistory, async (history) => {
        const reader = await readerOf(history);
        const pairs = { up: new Set<string>(), down: new Set<string>() };
        for (const { category, id, version } of await everything(reader)) {
          for (const way of ["up", "down"] as const) {
            const { start, things } = await walked(reader, {
              ...{ category, id, direction: way },
              ...(version !== undefined && { version }),
            });
            const [one] = start as [Reached];
            if (start.length > 1) continue;
            for (const { name } of things) {
              pairs[way].add(way === "down" ? `${one.name}\t${name}` : `${name}\t${one.name}`);
            }
            expect(new Set([one.name, ...things.map(({ name }) => name)]).size).toBe(things.length + 1);
            expect(things.map(({ distance }) => distance)).toEqual(
              things.map(({ distance }) => distance).sort((a, b) => a - b),
            );
          }
        }
        const unversioned = (pair: string) => pair.split("\t").some((name) => /^model-.$/.test(name));
        expect([...pairs.down].filter((pair) => !unversioned(pair)).sort()).toEqual(
          [...pairs.up].filter((pair) => !unversioned(pair)).sort(),
        );
      }),
      { numRuns: 15 },
    );
  });

  test("as of a position it is the lineage of the log that ends there", async () => {
    await fc.assert(
      fc.asyncProperty(anyHistory, fc.nat(26), direction, async (history, at, way) => {
        const from = { ...thing, direction: way };
        const past = await walked(await readerOf(history), { ...from, at }).catch((error: unknown) => error);
        const cut = await walked(await readerOf(history.slice(0, at)), from).catch((error: unknown) => error);
        if (cut instanceof Error) expect(past).toMatchObject({ code: "NOT_FOUND" });
        else expect(past).toEqual(cut);
      }),
      { numRuns: 30 },
    );
  });

  test("with a depth it is what the whole walk finds within that many steps", async () => {
    await fc.assert(
      fc.asyncProperty(anyHistory, fc.integer({ min: 1, max: 4 }), direction, async (history, depth, way) => {
        const reader = await readerOf([happened("dataset", "a", "DatasetVersioned", { version: "1" }), ...history]);
        const whole = await walked(reader, { ...thing, direction: way });
        const near = await walked(reader, { ...thing, direction: way, depth });
        expect(near.things).toEqual(whole.things.filter(({ distance }) => distance <= depth));
      }),
      { numRuns: 20 },
    );
  });

  test("a picture shows or counts everything that a shown thing leads to", async () => {
    await fc.assert(
      fc.asyncProperty(anyHistory, fc.integer({ min: 1, max: 3 }), direction, async (history, few, way) => {
        const reader = await readerOf([happened("dataset", "a", "DatasetVersioned", { version: "1" }), ...history]);
        const graph = await graphOf(reader, { ...thing, direction: way });
        const all = pictureOf(graph, Number.POSITIVE_INFINITY);
        expect(all.things).toHaveLength(graph.things.size);
        const picture = pictureOf(graph, few);
        for (const [name, branches] of picture.branches) {
          const counted = branches.reduce((sum, { shown, hidden }) => sum + shown.length + hidden, 0);
          expect(counted).toBe(graph.edges.get(name)?.length ?? 0);
          for (const { shown, hidden } of branches) if (hidden > 0) expect(shown.length).toBeGreaterThanOrEqual(few);
        }
        expect(textOf(picture).split("\n").length).toBeGreaterThanOrEqual(picture.things.length);
      }),
      { numRuns: 20 },
    );
  });
});

test("a walk in circles ends", async () => {
  const next = (id: string, parent: string) =>
    happened("dataset", id, "DatasetVersioned", { version: "1", parents: [{ datasetId: parent, version: "1" }] });
  const reader = await readerOf([next("a", "c"), next("b", "a"), next("c", "b"), next("a", "a")]);
  const { things, edges } = await walked(reader, { ...thing, direction: "down" });
  expect(things.map(({ name }) => name)).toEqual(["dataset-b@1", "dataset-c@1"]);
  expect(edges).toHaveLength(4);
  const text = textOf(pictureOf(await graphOf(reader, { ...thing, direction: "up" }), 5));
  expect(text.split("\n")).toEqual([
    "dataset a@1",
    "  derived from dataset a@1 (see above)",
    "  derived from dataset c@1",
    "    derived from dataset b@1",
    "      derived from dataset a@1 (see above)",
  ]);
});

test("thousands of predictions are read by ranges, those of other models left out", async () => {
  const answers = Array.from({ length: 4_200 }, (_, i) =>
    happened("inference", `i${i}`, "InferenceCompleted", { modelId: i % 2 === 0 ? "m" : "other", modelVersion: "1" }),
  );
  const corrected = ["i0", "i1", "i4198"].map((requestId) =>
    happened("feedback", requestId, "CorrectionSubmitted", { context: { requestId } }),
  );
  const store = openLmdbStore({ path: tempDir(), newId: () => "id" });
  const history = [happened("model", "m", "ModelVersioned", { version: "1" }), ...answers, ...corrected];
  const reader = await readerOf(history, store);
  let requests = 0;
  const counting: Reader = {
    query: (...args) => {
      requests += 1;
      return reader.query(...(args as [string])) as Promise<never>;
    },
  };
  const from = { category: "model", id: "m", version: "1", direction: "down" } as const;
  const { things } = await walked(counting, from);
  const names = things.map(({ name }) => name);
  expect(names).toHaveLength(2_102);
  expect(new Set(names)).toEqual(
    new Set([...Array.from({ length: 2_100 }, (_, i) => `inference-i${2 * i}`), "feedback-i0", "feedback-i4198"]),
  );
  expect(requests).toBeLessThan(50);
  expect((await walked(reader, { ...from, at: 3_001 })).things).toHaveLength(1_500);
  await store.close();
});

test("names that were cut are found by what they are of", async () => {
  const long = "x".repeat(250);
  const reader = await readerOf([
    happened("training-run", "r", "TrainingStarted", { datasetId: long, datasetVersion: "1" }),
    happened("training-run", "s", "TrainingStarted", { datasetId: `${long}y`, datasetVersion: "2" }),
  ]);
  const { start, things } = await walked(reader, { category: "dataset", id: long, direction: "down" });
  expect(start).toMatchObject([{ node: { id: long, version: "1", external: true } }]);
  expect(things.map(({ name }) => name)).toEqual(["training-run-r"]);
});

test("what is not known is said with the versions that are", async () => {
  const versioned = (version: string) => happened("dataset", "a", "DatasetVersioned", { version });
  const reader = await readerOf([
    versioned("1"),
    versioned("2"),
    happened("dataset", "ab", "DatasetVersioned", { version: "3" }),
  ]);
  await expect(walked(reader, { ...thing, version: "3", direction: "up" })).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: "nothing is known of dataset a version 3 up to position 3; there are 1, 2",
    details: { versions: ["1", "2"] },
  });
  await expect(walked(reader, { category: "dataset", id: "none", direction: "up" })).rejects.toMatchObject({
    message: "nothing is known of dataset none up to position 3",
  });
});
