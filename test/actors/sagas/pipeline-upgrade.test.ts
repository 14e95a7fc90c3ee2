/** Stored documents are brought under the pipeline that the policy names: some at a time, each once, and later ones too. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Fault, fold } from "retrace";
import { project } from "retrace/testing";
import { describe, expect, test } from "vitest";
import document from "../../../actors/aggregates/document.ts";
import policy from "../../../actors/aggregates/policy.ts";
import documentPipelines from "../../../actors/projections/document-pipelines.ts";
import ingestion from "../../../actors/sagas/document-ingestion.ts";
import upgrade from "../../../actors/sagas/pipeline-upgrade.ts";
import { checkProjection } from "../../../src/core/check-projection.ts";
import { checkSaga } from "../../../src/core/check-saga.ts";
import { openSagas, type SagaSetting } from "../../sagas/setting.ts";
import { arbitraryCommand } from "../arbitrary-command.ts";
import { decideAll } from "../decide-all.ts";
import { assertSagaLaws } from "./laws.ts";

const actors = [document, policy, ingestion, upgrade, documentPipelines];

interface Shelf extends SagaSetting {
  tell(id: string, type: string, data?: object): Promise<void>;
  setPolicy(settings: object): Promise<void>;
  /** Submitted, and worked on until it is ingested under p1. */
  ingest(...ids: string[]): Promise<void>;
  /** Does what the workers of a pipeline are asked for. Returns how many documents were on their way. */
  work(pipeline: string): Promise<number>;
  served(id: string): string | undefined;
  state(pipeline: string): unknown;
}

async function openShelf(): Promise<Shelf> {
  const setting = await openSagas(actors);
  const { store, send, settle } = setting;
  const tell: Shelf["tell"] = async (id, type, data = {}) => {
    const outcome = await send("document", id, type, data);
    assert(!(outcome instanceof Fault), `${type}: ${(outcome as Fault).message}`);
  };
  const contextOf = (id: string) =>
    fold(document, [...store.readStream(`document-${id}`)]).context as {
      inService?: string;
      candidate: string | null;
      pipelines: Record<string, { chunks: { chunkId: string; state: string }[] }>;
    };
  const index = async (id: string, pipeline: string) => {
    for (const { chunkId, state } of contextOf(id).pipelines[pipeline]?.chunks ?? []) {
      if (state === "pending") await tell(id, "EmbedChunk", { chunkId, pipeline });
      if (state !== "indexed") await tell(id, "IndexChunk", { chunkId, pipeline, indexName: "main" });
    }
  };
  const ids = () => [
    ...new Set(
      Array.from(store.readAll({ types: ["DocumentSubmitted"] }), ({ stream }) => stream.slice("document-".length)),
    ),
  ];
  return {
    ...setting,
    tell,
    setPolicy: async (settings) => {
      await send("policy", "pipeline-upgrade", "SetPolicy", { settings });
      await settle();
    },
    ingest: async (...all) => {
      for (const id of all) {
        await tell(id, "SubmitDocument");
        await tell(id, "ValidateDocument");
        await tell(id, "ChunkDocument", { pipeline: "p1", chunks: [{ chunkId: "c1" }, { chunkId: "c2" }] });
        await index(id, "p1");
      }
      await settle();
    },
    work: async (pipeline) => {
      const arriving = ids().filter((id) => contextOf(id).candidate === pipeline);
      for (const id of arriving) await index(id, pipeline);
      await settle();
      return arriving.length;
    },
    served: (id) => contextOf(id).inService,
    state: (pipeline) => (store.get("sagas", ["pipeline-upgrade", pipeline]) as { value: unknown } | undefined)?.value,
  };
}

const named = (count: number) => Array.from({ length: count }, (_, i) => `d${i}`);

test("saga and projection keep the loader's rules", () => {
  const known = [document, policy].flatMap(({ schemas }) => Object.keys(schemas.events));
  expect(checkSaga(upgrade, new Set(known))).toEqual([]);
  expect(checkProjection(documentPipelines)).toEqual([]);
});

describe("a pipeline that a policy names", () => {
  test("gets all stored documents, so many at a time, and then sleeps", async () => {
    const shelf = await openShelf();
    const ids = named(13);
    await shelf.ingest(...ids);
    await shelf.setPolicy({ pipeline: "p2", embeddingModel: "e6", atOnce: 5 });
    expect(shelf.state("p2")).toBe("pausing");
    const atATime: number[] = [];
    for (let i = 0; i < 20 && shelf.state("p2") !== "asleep"; i++) {
      atATime.push(await shelf.work("p2"));
      if (atATime.at(-1) === 0) await shelf.pass(60_000);
    }
    expect(Math.max(...atATime)).toBe(5);
    expect(ids.map(shelf.served)).toEqual(ids.map(() => "p2"));
    const requests = [...shelf.store.readAll({ types: ["DocumentStepRequested"] })].map(({ stream, data }) => {
      const { step, embeddingModel } = data as { step: string; embeddingModel?: string };
      return { stream, step, embeddingModel };
    });
    expect(requests.filter(({ step }) => step === "embed")).toHaveLength(13);
    expect(requests[0]?.embeddingModel).toBe("e6");
    expect(shelf.reactor.nextDueMs()).toBeUndefined();
    assertSagaLaws(shelf);
  });

  test("gets documents that are ingested later, too", async () => {
    const shelf = await openShelf();
    await shelf.setPolicy({ pipeline: "p2" });
    expect(shelf.state("p2")).toBe("asleep");
    await shelf.ingest("d0");
    expect(shelf.state("p2")).toBe("pausing");
    await shelf.work("p2");
    expect(shelf.served("d0")).toBe("p2");
    expect(shelf.state("p2")).toBe("asleep");
  });

  test("is left for another one that a later policy names, and may be named again", async () => {
    const shelf = await openShelf();
    await shelf.ingest("d0", "d1");
    await shelf.setPolicy({ pipeline: "p2", atOnce: 1 });
    await shelf.setPolicy({ pipeline: "p3", atOnce: 1 });
    await shelf.work("p2");
    await shelf.pass(60_000);
    expect(shelf.state("p2")).toBe("asleep");
    for (let i = 0; i < 6; i++) {
      await shelf.work("p3");
      await shelf.pass(60_000);
    }
    expect([shelf.served("d0"), shelf.served("d1")]).toEqual(["p3", "p3"]);
    await shelf.setPolicy({ pipeline: "p2" });
    await shelf.work("p2");
    expect([shelf.served("d0"), shelf.served("d1")]).toEqual(["p2", "p2"]);
  });

  test("leaves alone what is not named, and policies of others", async () => {
    const shelf = await openShelf();
    await shelf.ingest("d0");
    await shelf.setPolicy({ atOnce: 3 });
    await shelf.send("policy", "other", "SetPolicy", { settings: { pipeline: "p2" } });
    await shelf.settle();
    expect([...shelf.store.readStream("saga-pipeline-upgrade-p2")]).toEqual([]);
    expect(shelf.served("d0")).toBe("p1");
  });

  test("does without documents that fail, and says so once", async () => {
    const shelf = await openShelf();
    await shelf.ingest("d0", "d1");
    await shelf.setPolicy({ pipeline: "p2" });
    const failure = { step: "embed", chunkId: "c1", pipeline: "p2", reason: "too long", retryable: false };
    await shelf.tell("d0", "FailDocumentStep", failure);
    await shelf.settle();
    await shelf.work("p2");
    await shelf.pass(600_000);
    expect([shelf.served("d0"), shelf.served("d1")]).toEqual(["p1", "p2"]);
    expect(shelf.state("p2")).toBe("asleep");
    const requested = [...shelf.store.readStream("document-d0")].filter(({ type }) => type === "DocumentStepRequested");
    expect(requested).toHaveLength(1);
  });

  test("takes what is there already as it is, and compares it", async () => {
    const shelf = await openShelf();
    await shelf.ingest("d0");
    for (const chunkId of ["c1", "c2"]) {
      await shelf.tell("d0", "EmbedChunk", { chunkId, pipeline: "p2" });
      await shelf.tell("d0", "IndexChunk", { chunkId, pipeline: "p2", indexName: "main" });
    }
    await shelf.setPolicy({ pipeline: "p2" });
    expect(shelf.served("d0")).toBe("p2");
  });

  test("has documents chunked anew, where the policy says so", async () => {
    const shelf = await openShelf();
    await shelf.ingest("d0");
    await shelf.setPolicy({ pipeline: "p2", step: "chunk" });
    expect([...shelf.store.readStream("document-d0")].at(-1)).toMatchObject({
      type: "DocumentStepRequested",
      data: { step: "chunk", pipeline: "p2" },
    });
    await shelf.tell("d0", "ChunkDocument", { pipeline: "p2", chunks: [{ chunkId: "x" }] });
    await shelf.work("p2");
    expect(shelf.served("d0")).toBe("p2");
  });
});

describe("document-pipelines", () => {
  test("counts what its rows list, and lists each document once, under any commands", () => {
    const commands = fc.array(fc.tuple(fc.constantFrom("d1", "d2"), arbitraryCommand(document.schemas)), {
      maxLength: 80,
      size: "max",
    });
    fc.assert(
      fc.property(commands, (some) => {
        const events = ["d1", "d2"].flatMap((id) => {
          const own = some.filter(([one]) => one === id).map(([, command]) => command);
          const begin = [
            { type: "SubmitDocument", data: {} },
            { type: "ValidateDocument", data: {} },
          ];
          const decided = decideAll(document, [...begin, ...own]).flatMap((one) => one.events);
          return decided.map((event) => ({ ...event, category: "document", id }));
        });
        const rows = project<Record<string, unknown>>(documentPipelines, events);
        const listed = Object.keys(rows).filter((key) => !key.startsWith("pipeline/"));
        assert.equal(new Set(listed.map((key) => key.split("/")[2])).size, listed.length);
        const counted: Record<string, number> = {};
        for (const [key, row] of Object.entries(rows)) {
          if (!key.startsWith("pipeline/")) continue;
          for (const place of ["serving", "arriving", "failed"]) {
            if (row[place] !== 0) counted[`${place}/${row.pipeline}`] = row[place] as number;
          }
        }
        const found: Record<string, number> = {};
        for (const key of listed) {
          const place = key.split("/").slice(0, 2).join("/");
          found[place] = (found[place] ?? 0) + 1;
        }
        assert.deepEqual(counted, found);
      }),
      { numRuns: 200 },
    );
  });
});
