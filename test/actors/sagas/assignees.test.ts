/** Whom the saga asks, where far more people have voted than have registered. */
import { openMemoryStore } from "retrace";
import { expect, test } from "vitest";
import { openSagas } from "../../sagas/setting.ts";
import { accepted, actors } from "./crowd-run.ts";

test("a registered reviewer is found among a crowd of others, who are not asked and not written down each time", async () => {
  const sagas = await openSagas(actors, { store: openMemoryStore("crowd") });
  const crowd = Array.from({ length: 1_001 }, (_, i) => `a${i}`);
  const wide = { options: ["yes", "no"], k: 100, maxK: 100 };
  const reviews = Array.from({ length: Math.ceil(crowd.length / 100) }, (_, i) => `r${i}`);
  await Promise.all(reviews.map((id) => accepted(sagas, "review", id, "RequestReview", wide)));
  const claims = crowd.map((reviewer, i) =>
    accepted(sagas, "review", `r${i % reviews.length}`, "ClaimReview", { reviewer }),
  );
  await Promise.all(claims);
  await accepted(sagas, "reviewer", "zoe", "RegisterReviewer", {});
  await sagas.settle();
  await accepted(sagas, "policy", "review-routing", "SetPolicy", { settings: { conduct: ["*"] } });

  await accepted(sagas, "review", "new", "RequestReview", { options: ["yes", "no"] });
  await sagas.settle();
  expect([...sagas.store.readStream("review-new")].at(-1)).toMatchObject({
    type: "ReviewAssigned",
    data: { reviewer: "zoe" },
  });
  const answered = sagas.story("review-routing", "new").find(({ type }) => type === "SagaAnswered");
  expect(answered?.data).toMatchObject({ rows: [{ key: "reviewer/zoe" }] });
});
