import { expect, test } from "vitest";
import approvalsByProducer from "../../actors/projections/approvals-by-producer.ts";
import { at, type Happened, project } from "./project.ts";

const verdict = (type: string, producer?: string, rest: Partial<Happened> = {}): Happened => {
  return { stream: "feedback-a1", type, data: producer === undefined ? {} : { producer }, ...rest };
};

test("counts approvals and rejections of each producer, wherever they were given", async () => {
  const rows = await project(approvalsByProducer, [
    verdict("OutputApproved", "ada"),
    verdict("OutputApproved", "ada", { at: 100 }),
    verdict("OutputRejected", "ada", { stream: "feedback-a2", at: 50 }),
    verdict("OutputRejected", "eve"),
    verdict("OutputApproved"),
  ]);
  expect(rows).toEqual({
    ada: { approvals: 2, rejections: 1, lastAt: at(100) },
    eve: { approvals: 0, rejections: 1, lastAt: at(4) },
    "(unnamed)": { approvals: 1, rejections: 0, lastAt: at(5) },
  });
});

test("does not count what was retracted, and knows nothing of other signals", async () => {
  const retracted = (type: string, data: object) => {
    return verdict("FeedbackRetracted", undefined, {
      data: { eventId: "e1", signal: { type, occurredAt: at(1), data } },
    });
  };
  const rows = await project(approvalsByProducer, [
    verdict("OutputApproved", "ada"),
    verdict("OutputRejected", "ada"),
    retracted("OutputRejected", { producer: "ada" }),
    retracted("UserRatedOutput", { producer: "ada", rating: 1 }),
  ]);
  expect(rows).toEqual({ ada: { approvals: 1, rejections: 0, lastAt: at(2) } });
});
