/** Promotions among people who do anything at any time: none gets stuck, and each can be told again from its events. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { expect, test } from "vitest";
import { assertSagaLaws } from "./laws.ts";
import { openPromotions } from "./promotion-setting.ts";

type Step = readonly [category: string, id: string, type: string, data: object];

const run = fc.constantFrom("r1", "r2");
const reviewer = fc.constantFrom("bob", "eve", "zoe");
const label = fc.constantFrom("approve", "reject");
const environment = fc.constantFrom("production", "staging");

const toRun = (type: string, data: object = {}) => run.map((id): Step => ["training-run", id, type, data]);
const toModel = (type: string, data: fc.Arbitrary<object>) => data.map((body): Step => ["model", "m", type, body]);
const toReview = (type: string, data: fc.Arbitrary<object>) =>
  fc.tuple(run, data).map(([id, body]): Step => ["review", `promotion~${id}`, type, body]);

const voting = fc.tuple(run, reviewer, label).map(([id, who, said]): Step[] => [
  ["review", `promotion~${id}`, "ClaimReview", { reviewer: who }],
  ["review", `promotion~${id}`, "SubmitLabel", { reviewer: who, label: said }],
]);

const step: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 4, arbitrary: voting },
  { weight: 4, arbitrary: toReview("CloseReview", fc.constant({})).map((one) => [one]) },
  {
    weight: 12,
    arbitrary: fc
      .oneof(
        toRun("CompleteTraining", { modelArtifact: { id: "m", version: "v" }, finalMetrics: { accuracy: 0.9 } }),
        toReview("AdjudicateReview", fc.record({ reviewer, label })),
        toReview("AcceptLabel", fc.record({ reviewer })),
        toReview("FixLabel", fc.record({ reviewer, label })),
        toReview("ReturnLabel", fc.record({ reviewer })),
        toReview("CancelReview", fc.constant({})),
        toReview("RequestReview", fc.constant({ options: ["approve", "reject"] })),
        toModel("ApproveVersion", fc.record({ version: fc.constantFrom("v", "r1", "r2") })),
        toModel("RejectVersion", fc.record({ version: fc.constantFrom("v", "r1", "r2") })),
        toModel("DeployModel", fc.record({ version: fc.constantFrom("v", "r1", "r2"), environment })),
        toModel("RollBackDeployment", fc.record({ environment })),
        toModel(
          "MoveAlias",
          fc.record({ alias: fc.constant("champion"), toVersion: fc.constantFrom("v", "r1", null) }),
        ),
        toModel("VersionModel", fc.record({ version: fc.constantFrom("v", "r1"), trainingRunId: run })),
        toModel("CreateModel", fc.constant({})),
      )
      .map((one) => [one]),
  },
  { weight: 1, arbitrary: toModel("RetireModel", fc.constant({})).map((one) => [one]) },
);

test("whatever people do, and however far behind the saga is", async () => {
  const ends = new Set<string>();
  const sequence = fc.array(fc.tuple(step, fc.constantFrom("not yet", "one pass", "to the end")), {
    minLength: 5,
    maxLength: 40,
    size: "max",
  });
  await fc.assert(
    fc.asyncProperty(sequence, fc.boolean(), async (steps, secondLine) => {
      const sagas = await openPromotions({ secondLine, k: 1 });
      for (const id of ["r1", "r2"]) await sagas.act("training-run", id, "StartTraining", { userId: "ada" });
      for (const [commands, reacts] of steps) {
        for (const [category, id, type, data] of commands) await sagas.send(category, id, type, data);
        const { reactor, store } = sagas;
        if (reacts === "one pass") await reactor.react([...store.readAll({ afterPosition: reactor.position })]);
        if (reacts === "to the end") await sagas.settle();
      }
      await sagas.settle();
      assertSagaLaws(sagas);
      for (const { value } of sagas.store.scan("sagas", {})) {
        const { value: state } = value as { readonly value: unknown };
        assert(typeof state === "object" || state === "serving", `waits for nobody in ${JSON.stringify(state)}`);
      }
      for (const { type, data } of sagas.store.readAll({})) {
        if (type === "SagaEnded") ends.add((data as { readonly state: string }).state);
      }
    }),
    { seed: 20_260_101, numRuns: 80 },
  );
  expect([...ends].sort()).toEqual(["notVersioned", "overtaken", "withdrawn"]);
});
