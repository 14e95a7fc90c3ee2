/** Real crowds through `review-routing`, vote by vote: one policy that takes of each crowd what can be taken. */
import { type Answer, openMemoryStore } from "retrace";
import { describe, expect, test } from "vitest";
import reviewerQuality from "../../../actors/projections/reviewer-quality.ts";
import { Projections } from "../../../src/runtime/projections/projections.ts";
import { instanceCounts } from "../../../src/runtime/sagas/reaction.ts";
import { absentCrowds, readCrowdSet } from "../../consensus/crowd-sets.ts";
import { voteByVote } from "../../consensus/vote-by-vote.ts";
import type { SagaSetting } from "../../sagas/setting.ts";
import { accepted, castVotes, crowdRun, figuresOf, openRouting } from "./crowd-run.ts";

/** The first reviews of a set; `npm run torture -- crowds` takes all. */
async function runShare(name: string, share: number) {
  const set = readCrowdSet(name);
  const items = set.items.slice(0, share);
  const sagas = await openRouting({ store: openMemoryStore("crowd") });
  const outcomes = await crowdRun(sagas, { ...set, items });
  return { sagas, outcomes, figures: figuresOf(outcomes, set.gold), expected: voteByVote({ ...set, items }) };
}

/** The rows as they grew with the log, or as they are made of the whole log now. */
async function qualityRows({ store, options, reactor }: SagaSetting, how: "grown" | "rebuilt"): Promise<unknown> {
  const { name, version } = reviewerQuality;
  const projection = { ...reviewerQuality, version: how === "grown" ? version : version + 1 };
  const projections = new Projections({ ...options, projections: new Map([[name, projection]]) });
  await reactor.save();
  if (how === "rebuilt") {
    projections.startBuilding();
    await projections.built();
  }
  const read = projections.read(store, name, { prefix: "", limit: 10_000 });
  expect(read).toMatchObject({ version: projection.version, position: store.position() });
  return read?.rows;
}

describe.skipIf(absentCrowds !== undefined)("the default policy, vote by vote,", () => {
  test("accepts nothing more of a crowd that votes by chance, from the 50th review on", async () => {
    const { outcomes, expected, figures } = await runShare("hitspam_mturk", 80);
    expect(figures.acceptedFrom50th).toBe(0);
    expect(outcomes).toEqual(expected.outcomes);
  });

  test("accepts what a crowd that can do its task agrees on, and what it knows of the crowd is in the log", async () => {
    const { sagas, outcomes, expected, figures } = await runShare("snow_rte", 150);
    expect(figures.accepted).toBeGreaterThanOrEqual(0.9);
    expect(figures.accuracy).toBeGreaterThanOrEqual(0.93);
    expect(outcomes).toEqual(expected.outcomes);
    expect(instanceCounts(sagas.store, "review-routing").stuck).toBe(0);
    const grown = await qualityRows(sagas, "grown");
    expect(await qualityRows(sagas, "rebuilt")).toEqual(grown);
  });
});

test("what is known of reviewers is found whatever the kind of task is called", async () => {
  for (const taskKind of [undefined, "safety", "safety/tone", "100 %"]) {
    const sagas = await openRouting({ store: openMemoryStore("crowd") });
    const kind = { ...(taskKind !== undefined && { taskKind }), options: ["yes", "no"], k: 2, maxK: 2 };
    const votes = [
      { voter: "ada", label: "yes" },
      { voter: "b/ob", label: "yes" },
    ];
    for (const id of ["first", "second"]) {
      await accepted(sagas, "review", id, "RequestReview", kind);
      await castVotes(sagas, id, votes);
    }
    const answered = [...sagas.store.readStream("saga-review-routing-second")]
      .map(({ type, data }) => ({ type, data: data as Answer }))
      .filter(({ type, data }) => type === "SagaAnswered" && data.question.projection === "reviewer-quality");
    expect(answered.map(({ data }) => data.rows.length)).toEqual([3]);
  }
});
