/** The sagas that ship, in a runtime as users start it: killed at every step, and gone on with. */
import { expect, test } from "vitest";
import type { RetraceDomain } from "../../../schemas/index.ts";
import { connect } from "../../../src/wire/client.ts";
import type { HistoryReply } from "../../../src/wire/replies.ts";
import { eventually } from "../../support/eventually.ts";
import { startRuntime } from "../../support/runtime.ts";
import { tempDir } from "../../support/temp.ts";

type Client = Awaited<ReturnType<typeof connect<RetraceDomain>>>;

/** A runtime that is killed and started again before each piece of work. */
function mortal() {
  const dataDir = tempDir();
  let runtime: Awaited<ReturnType<typeof startRuntime>> | undefined;
  return async (work: (client: Client) => Promise<unknown>) => {
    await runtime?.kill();
    runtime = await startRuntime({ dataDir });
    const client = await connect<RetraceDomain>({ servers: runtime.url });
    await work(client);
    await client.close();
  };
}

async function types(client: Client, category: keyof RetraceDomain, id: string): Promise<string[]> {
  return (await client.history(category, id)).events.map(({ type }) => type);
}

async function has(client: Client, category: keyof RetraceDomain, id: string, type: string): Promise<void> {
  await eventually(`${category}-${id} has ${type}`, async () => (await types(client, category, id)).includes(type));
}

test("a run is promoted, and rolled back again, by a runtime that is killed between all of it", async () => {
  const alive = mortal();
  const review = "promotion~r1";
  await alive(async (client) => {
    await client.send("training-run", "r1", { type: "StartTraining", data: { userId: "ada" } });
    await client.send("training-run", "r1", { type: "CompleteTraining", data: { modelArtifact: { id: "m" } } });
  });
  await alive(async (client) => {
    await has(client, "review", review, "HumanReviewRequested");
    await client.send("review", review, { type: "ClaimReview", data: { reviewer: "bob" } });
    await client.send("review", review, { type: "SubmitLabel", data: { reviewer: "bob", label: "approve" } });
  });
  await alive(async (client) => {
    await has(client, "model", "m", "AliasMoved");
    await client.send("model", "m", {
      type: "RollBackDeployment",
      data: { environment: "production", reason: "drift" },
    });
  });
  await alive(async (client) => {
    await has(client, "model", "m", "ModelVersionRejected");
    expect(await types(client, "model", "m")).toEqual([
      "ModelCreated",
      "ModelVersioned",
      "ModelVersionApproved",
      "ModelDeployed",
      "AliasMoved",
      "DeploymentRolledBack",
      "AliasMoved",
      "ModelVersionRejected",
    ]);
    const ended = await eventually("the promotion has ended", async () => {
      const { events } = await client.query<HistoryReply>("history", { category: "saga", id: "model-promotion-r1" });
      return events.at(-1)?.type === "SagaEnded" && events.at(-1);
    });
    expect(ended?.data).toMatchObject({ state: "withdrawn", output: { notUndone: [] } });
    expect((await client.events({ types: ["SagaStuck"] })).events).toEqual([]);
  });
});

test("an agent's calls are undone one after another by a runtime that is killed between them", async () => {
  const alive = mortal();
  const undone = async (client: Client, callId: string): Promise<void> => {
    await eventually(`${callId} is to be undone`, async () => {
      const { events } = await client.history("agent-session", "s");
      const { type, data } = events.at(-1) ?? {};
      return type === "CompensationRequested" && (data as { callId: string }).callId === callId;
    });
    await client.send("agent-session", "s", { type: "RecordCompensation", data: { callId } });
  };
  await alive(async (client) => {
    await client.send("agent-session", "s", { type: "StartSession", data: { agent: "fixer" } });
    await client.send("agent-session", "s", { type: "MarkCheckpoint", data: { name: "a" } });
    for (const callId of ["c1", "c2", "c3"]) {
      await client.send("agent-session", "s", { type: "CallTool", data: { callId, tool: "t", compensation: "undo" } });
    }
    await client.send("agent-session", "s", { type: "RecordToolResult", data: { callId: "c3", error: "x" } });
  });
  for (const callId of ["c3", "c2", "c1"]) await alive((client) => undone(client, callId));
  await alive(async (client) => {
    const ended = await eventually("the roll-back has ended", async () => {
      const { events } = await client.events({ types: ["SagaEnded"] });
      return events[0];
    });
    expect(ended.data).toMatchObject({ state: "undone", output: { compensated: 3, notUndoneCount: 0 } });
    expect((await types(client, "agent-session", "s")).slice(6)).toEqual([
      "SessionRolledBack",
      ...["c3", "c2", "c1"].flatMap(() => ["CompensationRequested", "StepCompensated"]),
    ]);
  });
});
