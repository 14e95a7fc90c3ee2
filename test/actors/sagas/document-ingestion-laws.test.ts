/** What holds for an ingestion whatever workers and users do: it is never stuck, and diligence ends it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Fault, fold } from "retrace";
import { expect, test } from "vitest";
import document from "../../../actors/aggregates/document.ts";
import policy from "../../../actors/aggregates/policy.ts";
import ingestion from "../../../actors/sagas/document-ingestion.ts";
import { openSagas, type SagaSetting } from "../../sagas/setting.ts";
import { assertSagaLaws } from "./laws.ts";

const minuteMs = 60_000;

type Step = readonly [type: string, data?: object] | number;

const chunkIds = ["c1", "c2", "c3"];
const pipeline = fc.constantFrom("p1", "p1", "p2", "p3");
const chunkId = fc.constantFrom(...chunkIds);

/** What workers and users do, in any order, likely and unlikely; a number lets the saga react, and so many ms pass. */
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 0, 0, minuteMs, 20 * minuteMs) },
  { weight: 2, arbitrary: fc.constant<Step>(["ValidateDocument", {}]) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(pipeline, fc.subarray(chunkIds))
      .map(([name, ids]): Step => ["ChunkDocument", { pipeline: name, chunks: ids.map((id) => ({ chunkId: id })) }]),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(pipeline, chunkId).map(([name, id]): Step => ["EmbedChunk", { chunkId: id, pipeline: name }]),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(pipeline, chunkId)
      .map(([name, id]): Step => ["IndexChunk", { chunkId: id, pipeline: name, indexName: "main" }]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.option(pipeline, { nil: undefined }), fc.option(chunkId, { nil: undefined }), fc.boolean())
      .map(([name, id, retryable]): Step => {
        const about = { ...(name !== undefined && { pipeline: name }), ...(id !== undefined && { chunkId: id }) };
        return ["FailDocumentStep", { step: "embed", ...about, retryable }];
      }),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom("validate", "chunk", "embed", "index", "compare", "mine"), pipeline)
      .map(([name, about]): Step => ["RequestDocumentStep", { step: name, pipeline: about }]),
  },
  { weight: 1, arbitrary: fc.constant<Step>(["UpdateDocument", {}]) },
  { weight: 1, arbitrary: pipeline.map((to): Step => ["CutOverPipeline", { to }]) },
  {
    weight: 1,
    arbitrary: pipeline.map((name): Step => ["RemoveChunks", { pipeline: name, outdated: true, limit: 2 }]),
  },
  { weight: 1, arbitrary: fc.constant<Step>(["CompleteIngestion", {}]) },
);

interface Known {
  readonly value: string;
  readonly context: {
    readonly inService?: string;
    readonly candidate: string | null;
    readonly outdated: readonly unknown[];
    readonly pipelines: Readonly<Record<string, { readonly chunks: readonly { chunkId: string; state: string }[] }>>;
  };
}

function stateOf({ store }: SagaSetting): Known {
  return fold(document, [...store.readStream("document-d")]) as unknown as Known;
}

const take = async (setting: SagaSetting, steps: readonly Step[]): Promise<void> => {
  let revision = 1;
  await setting.send("document", "d", "SubmitDocument");
  for (const one of steps) {
    if (typeof one === "number") await setting.pass(one);
    else {
      const [type, data] = one;
      if (type === "UpdateDocument") revision += 1;
      await setting.send("document", "d", type, type === "UpdateDocument" ? { revision } : data);
    }
  }
  await setting.settle();
};

/** Does what the document is waiting for, as far as it can be seen. */
async function workDiligently(setting: SagaSetting): Promise<void> {
  const { value, context } = stateOf(setting);
  if (value === "submitted") await setting.send("document", "d", "ValidateDocument");
  if (value === "validated") {
    const chunks = chunkIds.map((id) => ({ chunkId: id }));
    await setting.send("document", "d", "ChunkDocument", { pipeline: "p1", chunks });
  }
  for (const name of [context.inService, context.candidate]) {
    if (value !== "chunked" || name === undefined || name === null) continue;
    if (context.pipelines[name] === undefined) {
      const chunks = chunkIds.map((id) => ({ chunkId: id }));
      await setting.send("document", "d", "ChunkDocument", { pipeline: name, chunks });
    }
    await setting.send("document", "d", "RequestDocumentStep", { step: "index", pipeline: name });
    await setting.settle();
    for (const { chunkId: id } of stateOf(setting).context.pipelines[name]?.chunks ?? []) {
      await setting.send("document", "d", "EmbedChunk", { chunkId: id, pipeline: name, vectorRef: { ref: id } });
      await setting.send("document", "d", "IndexChunk", { chunkId: id, pipeline: name, indexName: "main" });
    }
  }
  await setting.settle();
  if (hasFailed(setting)) await askAgain(setting);
  await setting.pass(20 * minuteMs);
}

function hasFailed(setting: SagaSetting): boolean {
  return running(setting).some(({ value }) => value === "failed");
}

/** What was given up waits until somebody wants it after all. */
async function askAgain(setting: SagaSetting): Promise<void> {
  const last = [...setting.store.readStream("document-d")].findLast(({ type }) => type === "DocumentStepFailed");
  const { pipeline: name } = last?.data as { readonly pipeline?: string };
  const about = name === undefined ? {} : { pipeline: name };
  for (const wanted of ["validate", "index", "compare", "chunk"]) {
    const outcome = await setting.send("document", "d", "RequestDocumentStep", { step: wanted, ...about });
    if (!(outcome instanceof Fault)) return;
  }
}

/** For people: what happened, shortest form. */
function tale({ store }: SagaSetting): string {
  return Array.from(store.readAll(), ({ stream, type, data }) => {
    const { pipeline, chunkId, step, to, state, message, round } = data as Record<string, unknown>;
    return `${stream} ${type} ${JSON.stringify({ pipeline, chunkId, step, to, state, message, round })}`;
  }).join("\n");
}

const running = ({ store }: SagaSetting) => [...store.scan("sagas", {})].map(({ value }) => value as Running);

interface Running {
  readonly value: unknown;
  readonly stuck?: object;
}

test("it is never stuck, and who works on ends it", async () => {
  let ended = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: "max" }), async (steps) => {
      const setting = await openSagas([document, policy, ingestion]);
      await take(setting, steps);
      for (const { stuck } of running(setting)) assert.equal(stuck, undefined, tale(setting));
      assertSagaLaws(setting);
      for (let i = 0; i < 12 && running(setting).length > 0; i++) await workDiligently(setting);
      assert.equal(running(setting).length, 0, tale(setting));
      assert.equal(setting.reactor.nextDueMs(), undefined);
      const { value, context } = stateOf(setting);
      if (value !== "chunked") return;
      ended += 1;
      assert(context.inService !== undefined);
    }),
    { numRuns: 40, seed: 20_260_101 },
  );
  expect(ended).toBeGreaterThan(20);
});

test("a document that is deleted at any time leaves no instance and no timer", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25, size: "max" }), fc.boolean(), async (steps, settles) => {
      const setting = await openSagas([document, policy, ingestion]);
      await take(setting, steps);
      if (settles) await setting.settle();
      await setting.send("document", "d", "DeleteDocument");
      await setting.settle();
      assert.deepEqual(running(setting), []);
      assert.equal(setting.reactor.nextDueMs(), undefined);
      assert.equal([...setting.store.readStream("document-d")].at(-1)?.type, "DocumentDeleted");
    }),
    { numRuns: 30, seed: 20_260_101 },
  );
});
