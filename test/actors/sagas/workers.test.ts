/** The sagas of this folder in a real runtime, with workers that know of them only what JetStream brings. */
import type { RetraceDomain } from "retrace/schemas";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Client, connect } from "../../../src/wire/client.ts";
import { eventually } from "../../support/eventually.ts";
import { startRuntime, type TestRuntime } from "../../support/runtime.ts";
import { tempDir } from "../../support/temp.ts";

const dataDir = tempDir();
let runtime: TestRuntime;
let client: Client<RetraceDomain>;

beforeAll(async () => {
  runtime = await startRuntime({ dataDir });
  client = await connect<RetraceDomain>({ servers: runtime.url, actor: "ada" });
});

afterAll(() => client.close());

const served = async (id: string) => {
  const { state } = await client.state("document", id);
  const { inService, round } = state.context as { readonly inService?: string; readonly round: number };
  return { inService, round };
};

/** Embeds what it is asked for and indexes what is embedded; one chunk fails the first time. */
async function startWorker(): Promise<void> {
  const flaky = new Set(["d-c1"]);
  await client.subscribe(
    {
      name: "worker",
      categories: ["document"],
      types: ["DocumentSubmitted", "DocumentValidated", "DocumentChunked", "ChunkEmbedded", "DocumentStepRequested"],
      backoffMs: [50],
    },
    async (event) => {
      const id = event.stream.slice("document-".length);
      const send = (type: "ValidateDocument" | "ChunkDocument" | "EmbedChunk" | "IndexChunk", data: object) =>
        client.send("document", id, { type, data } as never);
      const embed = async (pipeline: string, chunkIds: readonly string[]) => {
        for (const chunkId of chunkIds) {
          if (flaky.delete(chunkId)) {
            const data = { step: "embed", chunkId, pipeline, reason: "rate limit" };
            await client.send("document", id, { type: "FailDocumentStep", data });
          } else await send("EmbedChunk", { chunkId, pipeline, vectorRef: { ref: `${pipeline}/${chunkId}` } });
        }
      };
      if (event.type === "DocumentSubmitted") await send("ValidateDocument", { format: "markdown" });
      if (event.type === "DocumentValidated") {
        const chunks = ["c1", "c2"].map((chunk) => ({ chunkId: `${id}-${chunk}` }));
        await send("ChunkDocument", { pipeline: "p1", chunks });
      }
      if (event.type === "DocumentChunked") {
        const { pipeline, chunks } = event.data;
        await embed(
          pipeline,
          chunks.map(({ chunkId }) => chunkId),
        );
      }
      if (event.type === "DocumentStepRequested" && event.data.step === "embed") {
        await embed(event.data.pipeline ?? "", event.data.chunkIds ?? []);
      }
      if (event.type === "ChunkEmbedded") {
        const { chunkId, pipeline } = event.data;
        await send("IndexChunk", { chunkId, pipeline, indexName: "main" });
      }
    },
  );
}

test("documents are ingested although a worker fails, and follow the policy to another pipeline", async () => {
  await startWorker();
  const settings = { backoffMs: 1_000 };
  await client.send("policy", "document-ingestion", { type: "SetPolicy", data: { settings } });
  for (const id of ["d", "e"]) await client.send("document", id, { type: "SubmitDocument", data: {} });
  await eventually("both documents are served by p1, and their first round is over", async () => {
    for (const id of ["d", "e"]) expect(await served(id)).toEqual({ inService: "p1", round: 2 });
    return true;
  });
  const asked = await client.history("document", "d");
  const requests = asked.events.filter(({ type }) => type === "DocumentStepRequested");
  expect(requests).toMatchObject([{ data: { step: "embed", chunkIds: ["d-c1"], attempt: 2 } }]);

  const upgrade = { pipeline: "p2", embeddingModel: "e6" };
  await client.send("policy", "pipeline-upgrade", { type: "SetPolicy", data: { settings: upgrade } });
  await eventually("both documents are served by p2", async () => {
    for (const id of ["d", "e"]) expect(await served(id)).toEqual({ inService: "p2", round: 3 });
    return true;
  });
});

test("a version that people do not like is rolled back while they watch", async () => {
  const settings = { negativeRate: { minCount: 10, rollBackAbove: 0.4 } };
  await client.send("policy", "drift-guard", { type: "SetPolicy", data: { settings } });
  await client.send("model", "m", { type: "CreateModel", data: {} });
  for (const version of ["v1", "v2"]) {
    await client.send("model", "m", { type: "VersionModel", data: { version } });
    await client.send("model", "m", { type: "ApproveVersion", data: { version } });
    await client.send("model", "m", { type: "DeployModel", data: { version, environment: "prod" } });
  }
  const context = { modelId: "m", modelVersion: "v2" };
  for (let i = 0; i < 20; i++) {
    await client.send("feedback", `f${i}`, { type: "RateOutput", data: { rating: 1, context } });
  }
  await eventually("the version is rolled back", async () => {
    const { events } = await client.history("model", "m");
    expect(events.at(-1)).toMatchObject({
      type: "DeploymentRolledBack",
      data: { fromVersion: "v2", toVersion: "v1", evidence: { policyVersion: 1, minCount: 10 } },
    });
    return true;
  });
});
