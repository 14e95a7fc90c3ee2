import fc from "fast-check";
import { describe, expect, test } from "vitest";
import model from "../../actors/aggregates/model.ts";
import modelCatalog from "../../actors/projections/model-catalog.ts";
import { decideCommand } from "../../src/core/aggregate.ts";
import { initialState } from "../../src/core/chart.ts";
import { arbitraryCommand } from "../actors/arbitrary-command.ts";
import { at, type Happened, project } from "./project.ts";

const event = (type: string, data: unknown = {}, rest: Partial<Happened> = {}): Happened => {
  return { stream: "model-m1", type, data, ...rest };
};
const by = (id: string): Partial<Happened> => {
  const ids = { correlationId: "c", causationId: "c", commandId: "c" };
  return { fields: { metadata: { ...ids, actor: { id, verified: false } } } };
};
const rowOf = async (history: readonly Happened[]) => (await project(modelCatalog, history)).m1;

describe("a model in the catalog", () => {
  const history = [
    event("ModelCreated", { name: "sorter", userId: "ada", tags: ["a"] }),
    event("ModelVersioned", {
      version: "1",
      trainingRunId: "r1",
      metrics: { f1: 0.5 },
      artifactRef: { ref: "s3://1" },
    }),
    event("ModelVersionApproved", { version: "1", reviewId: "v1", approvers: ["eve"] }, by("eve")),
    event("ModelDeployed", { version: "1", environment: "prod", trafficShare: 1 }),
    event("AliasMoved", { alias: "live", toVersion: "1", reason: "first" }),
    event("ModelVersioned", { version: "2" }),
    event("ModelVersionApproved", { version: "2" }),
    event("ModelDeployed", { version: "2", environment: "prod", trafficShare: 0.25 }),
  ];

  test("shows what there is, what serves and what is called how", async () => {
    expect(await rowOf(history)).toEqual({
      name: "sorter",
      userId: "ada",
      tags: ["a"],
      createdAt: at(1),
      versions: {
        1: {
          status: "deployed",
          versionedAt: at(2),
          trainingRunId: "r1",
          artifactRef: { ref: "s3://1" },
          metrics: { f1: 0.5 },
          history: [
            { at: at(2), position: 2, status: "candidate" },
            { at: at(3), position: 3, status: "approved", actor: "eve", reviewId: "v1", approvers: ["eve"] },
            { at: at(4), position: 4, status: "deployed", environment: "prod" },
          ],
        },
        2: {
          status: "deployed",
          versionedAt: at(6),
          history: [
            { at: at(6), position: 6, status: "candidate" },
            { at: at(7), position: 7, status: "approved" },
            { at: at(8), position: 8, status: "deployed", environment: "prod" },
          ],
        },
      },
      deployments: {
        prod: [
          { version: "1", trafficShare: 0.75 },
          { version: "2", trafficShare: 0.25 },
        ],
      },
      deploymentHistory: [
        { at: at(4), position: 4, change: "deployed", environment: "prod", version: "1", trafficShare: 1 },
        { at: at(8), position: 8, change: "deployed", environment: "prod", version: "2", trafficShare: 0.25 },
      ],
      aliases: { live: "1" },
      aliasHistory: { live: [{ at: at(5), position: 5, from: null, to: "1", reason: "first" }] },
    });
  });

  test("shows a roll-back with its reason, an alias that was taken away, and a retirement", async () => {
    const row = await rowOf([
      ...history,
      event(
        "DeploymentRolledBack",
        { environment: "prod", fromVersion: "2", toVersion: "1", reason: "drift" },
        by("guard"),
      ),
      event("ModelVersionRejected", { version: "2", reason: "worse" }),
      event("AliasMoved", { alias: "live", fromVersion: "1", toVersion: null }),
      event("ModelRetired"),
    ]);
    expect(row).toMatchObject({
      versions: { 1: { status: "deployed" }, 2: { status: "rejected" } },
      deployments: { prod: [{ version: "1", trafficShare: 1 }] },
      aliases: {},
      retiredAt: at(12),
    });
    const rolledBack = { at: at(9), position: 9, actor: "guard", reason: "drift" };
    expect((row?.deploymentHistory as unknown[]).at(-1)).toEqual({
      ...{ ...rolledBack, change: "rolledBack", environment: "prod", version: "2", toVersion: "1" },
    });
    expect((row?.aliasHistory as { live: unknown[] }).live.at(-1)).toMatchObject({ from: "1", to: null });
  });

  test("keeps the newest of a long history", async () => {
    const moves = Array.from({ length: 450 }, (_, i) =>
      event("AliasMoved", { alias: "live", toVersion: String(i % 2) }),
    );
    const row = await rowOf([
      ...[0, 1].map((version) => event("ModelVersioned", { version: String(version) })),
      ...moves,
    ]);
    const { live } = row?.aliasHistory as { live: { position: number }[] };
    expect(live).toHaveLength(200);
    expect(live.at(-1)?.position).toBe(452);
  });

  test("bears versions, aliases and environments of any name", async () => {
    const name = "constructor";
    const row = await rowOf([
      event("ModelCreated"),
      event("ModelVersioned", { version: name }),
      event("ModelVersionApproved", { version: name }),
      event("ModelDeployed", { version: name, environment: name, trafficShare: 1 }),
      event("AliasMoved", { alias: name, toVersion: name }),
    ]);
    expect(row).toMatchObject({ aliases: { [name]: name }, deployments: { [name]: [{ version: name }] } });
  });
});

test("after whatever commands, it says of deployments and aliases what the model itself says", async () => {
  const commands = fc.array(arbitraryCommand(model.schemas), { minLength: 5, maxLength: 60, size: "max" });
  await fc.assert(
    fc.asyncProperty(commands, async (sequence) => {
      let state = initialState(model.machine);
      const history: Happened[] = [];
      for (const [i, { type, data }] of sequence.entries()) {
        const parsed = model.schemas.commands[type as "CreateModel"].safeParse(data);
        if (!parsed.success) continue;
        const metadata = { correlationId: "c", causationId: "c", commandId: "c" };
        const decided = decideCommand(model, {
          state,
          version: history.length,
          command: { type, data: parsed.data, occurredAt: at(i), metadata },
          context: { id: "m1", now: at(i) },
          newId: () => `id-${i}`,
        });
        if (decided.outcome !== "accepted") continue;
        state = decided.state;
        history.push(...decided.events.map(({ type, data }) => event(type, data)));
      }
      const row = await rowOf(history);
      const { aliases, deployments, versions } = state.context as Record<string, Record<string, unknown>>;
      const statuses = Object.entries((row?.versions ?? {}) as Record<string, { status: string }>);
      expect(row?.aliases ?? {}).toEqual(aliases);
      expect(row?.deployments ?? {}).toEqual(deployments);
      expect(Object.fromEntries(statuses.map(([version, { status }]) => [version, status]))).toEqual(versions);
    }),
    { seed: 11, numRuns: 60 },
  );
});
