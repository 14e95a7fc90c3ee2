import { builtInActors, loadActors } from "retrace";
import { expect, test } from "vitest";
import audit from "../../actors/projections/audit.ts";
import { at, type Happened, project } from "./project.ts";

const asked = (id: string, causationId: string): Happened["fields"] => ({
  metadata: { correlationId: "talk", causationId, commandId: "cmd", actor: { id, verified: true } },
});

test("keeps every decision about a subject, with its actor, cause and reason, and the newest beside their number", async () => {
  const rows = await project(audit, [
    {
      stream: "model-m1",
      type: "ModelVersionApproved",
      data: { version: "2", reviewId: "v1", approvers: ["eve", "bob"] },
      fields: asked("saga", "v1-closed"),
    },
    { stream: "model-m1", type: "ModelVersioned", data: { version: "3" } },
    {
      stream: "model-m1",
      type: "TrafficAdjusted",
      data: { version: "2", environment: "prod", trafficShare: 0.5, reason: "drift", evidence: { a: 1 } },
      at: 100,
    },
    { stream: "model-m10", type: "ModelRetired", data: {} },
  ]);
  const first = {
    position: 1,
    type: "ModelVersionApproved",
    stream: "model-m1",
    at: at(1),
    recordedAt: at(1),
    actor: "saga",
    isVerified: true,
    by: ["eve", "bob"],
    causationId: "v1-closed",
    correlationId: "talk",
    details: { version: "2", reviewId: "v1" },
  };

  expect(rows["model-m1/000000000001"]).toEqual(first);
  expect(rows["model-m1/000000000003"]).toMatchObject({
    reason: "drift",
    details: { version: "2", environment: "prod", trafficShare: 0.5 },
  });
  expect(rows["model-m1"]).toMatchObject({
    decisions: 2,
    firstAt: at(1),
    lastAt: at(100),
    latest: [first, { position: 3 }],
  });
  expect(Object.keys(rows)).toEqual([
    "model-m1",
    "model-m1/000000000001",
    "model-m1/000000000003",
    "model-m10",
    "model-m10/000000000004",
  ]);
});

test("puts a review's decisions to what is reviewed, and signals to the inference that they are about", async () => {
  const subject = { category: "inference", id: "i1" };
  const rows = await project(audit, [
    {
      stream: "review-v1",
      type: "HumanReviewRequested",
      data: { subject, k: 1, maxK: 1, gold: "secret", options: ["a"] },
    },
    { stream: "review-v1", type: "ReviewAdjudicated", data: { subject, reviewer: "eve", label: "a" } },
    { stream: "review-v2", type: "ReviewCancelled", data: { reason: "late" } },
    { stream: "feedback-t", type: "OutputRejected", data: { producer: "p", context: { requestId: "i1" } } },
    {
      stream: "feedback-t",
      type: "FeedbackRetracted",
      data: {
        eventId: "e",
        signal: { type: "OutputRejected", occurredAt: at(1), data: { context: { requestId: "i1" } } },
      },
    },
    { stream: "feedback-t", type: "OutputApproved", data: { producer: "p" } },
  ]);
  expect(rows["inference-i1"]).toMatchObject({
    decisions: 4,
    latest: [{}, { by: ["eve"], details: { label: "a" } }, {}, {}],
  });
  expect(rows["review-v2"]).toMatchObject({ latest: [{ reason: "late" }] });
  expect(rows["feedback-t"]).toMatchObject({ decisions: 1 });
  expect(JSON.stringify(rows)).not.toContain("secret");
});

test("shows the newest of many beside their number", async () => {
  const set = Array.from(
    { length: 30 },
    (_, i): Happened => ({ stream: "policy-p", type: "PolicySet", data: { settings: { i } } }),
  );
  const { "policy-p": subject, ...each } = await project(audit, set);
  expect(subject).toMatchObject({ decisions: 30, latest: { length: 20 } });
  expect(Object.keys(each)).toHaveLength(30);
});

test("listens to all that people decide", async () => {
  const { aggregates } = await loadActors([builtInActors]);
  const verdicts =
    /(Approved|Rejected|Retired|Retracted|Accepted|Fixed|Returned|Adjudicated|Escalated|Cancelled|Deleted|RolledBack|CutOver|Disputed|Superseded|Adjusted)$/;
  const types = [...aggregates.values()].flatMap(({ aggregate }) => Object.keys(aggregate.eventSchemas));
  const missed = types.filter((type) => verdicts.test(type) && !Object.hasOwn(audit.on, type));
  // What a tool returns is nobody's verdict.
  expect(missed).toEqual(["ToolReturned"]);
});
