/** How good reviewers are: equal to what others computed of real crowds, whatever way a review took to its end. */
import fc from "fast-check";
import type { RecordedEvent, Rows } from "retrace";
import { describe, expect, test } from "vitest";
import { cohenKappa, fleissKappa, krippendorffAlpha } from "../../actors/consensus/agreement.ts";
import type { Posterior } from "../../actors/consensus/posterior.ts";
import { addReview, noReviews, type QualityRows } from "../../actors/consensus/quality.ts";
import { kindKey, voterKey } from "../../actors/projections/reviewer-quality/keys.ts";
import type {
  KindQuality,
  ReviewerQuality,
  VoterQuality,
} from "../../actors/projections/reviewer-quality/quality-rows.ts";
import quality from "../../actors/projections/reviewer-quality.ts";
import { absentCrowds, readCrowdSet, referenceOf } from "../consensus/crowd-sets.ts";
import { expectSameCounts } from "../consensus/same-counts.ts";
import { type Happened, project } from "./project.ts";

type Found = Record<string, unknown>;

const rowsOf = (history: readonly Happened[]): Promise<Found> => project(quality, history);
const kindIn = (rows: Found, kind = "pets") => rows[kindKey(kind)] as KindQuality;
const voterIn = (rows: Found, name: string, kind = "pets") => rows[voterKey(kind, name)] as VoterQuality;
const reviewerIn = (rows: Found, name: string) => rows[`reviewer/${name}`] as ReviewerQuality;

/** An event of a review of pets. */
function of(id: string, type: string, data: object = {}): Happened {
  return { stream: `review-${id}`, type, data: { taskKind: "pets", ...data } };
}

const pets = ["cat", "dog"];

function request(id: string, data: object = {}): Happened {
  return of(id, "HumanReviewRequested", { options: pets, k: 2, maxK: 4, ...data });
}

/** Votes by reviewer. */
type Votes = Readonly<Record<string, string>>;

const listed = (votes: Votes) => Object.entries(votes).map(([reviewer, label]) => ({ reviewer, label }));

function consensus(id: string, label: string, votes: Votes, data: object = {}): Happened {
  return of(id, "ReviewConsensusReached", { method: "majority", label, votes: listed(votes), ...data });
}

function dispute(id: string, votes: Votes, data: object = {}): Happened {
  return of(id, "ReviewDisputed", { method: "majority", votes: listed(votes), ...data });
}

describe("of a closed review", () => {
  test("the kind of task and those who voted are told, and nobody else", async () => {
    const rows = await rowsOf([
      request("r1"),
      of("r1", "HumanLabelSubmitted", { reviewer: "ada", label: "cat", effortMs: 2_000 }),
      of("r1", "HumanLabelSubmitted", { reviewer: "bob", label: "dog", effortMs: 500 }),
      consensus("r1", "cat", { ada: "cat", bob: "dog" }, { posterior: { cat: 0.75, dog: 0.25 } }),
      request("r2"),
      of("r2", "HumanLabelSubmitted", { reviewer: "ada", label: "dog", effortMs: 1_000 }),
      of("r2", "HumanLabelSubmitted", { reviewer: "eve", label: "cat" }),
      dispute("r2", { ada: "dog", eve: "cat" }),
      of("r3", "HumanLabelSubmitted", { reviewer: "eve", label: "cat" }),
    ]);
    expect(kindIn(rows)).toEqual({
      ...{ closed: 2, consensus: 1, votesEach: 2, classes: { cat: 1.25, dog: 0.75 } },
      coincidences: { pairs: 4, alike: 0, labels: { cat: 2, dog: 2 } },
      alpha: expect.closeTo(-0.5, 12),
      kappa: -1,
    });
    expect(voterIn(rows, "ada")).toMatchObject({
      ...{ agreements: 1.25, total: 2, withResult: { agreed: 1, of: 1 }, withGold: { agreed: 0, of: 0 } },
      confusion: { cat: { cat: 0.75, dog: 0.5 }, dog: { cat: 0.25, dog: 0.5 } },
    });
    expect(voterIn(rows, "bob")).toMatchObject({ agreements: 0.25, total: 1, withResult: { agreed: 0, of: 1 } });
    expect(reviewerIn(rows, "ada")).toEqual({
      ...{ votes: 2, reviews: 2, withResult: { agreed: 1, of: 1 }, withGold: { agreed: 0, of: 0 } },
      ...{ effort: { votes: 2, totalMs: 3_000 }, meanEffortMs: 1_500 },
    });
    expect(reviewerIn(rows, "eve")).toMatchObject({ votes: 2, reviews: 1, effort: { votes: 0, totalMs: 0 } });
    expect(reviewerIn(rows, "eve")).not.toHaveProperty("meanEffortMs");
  });

  test("without a posterior, the shares of a majority count, and else the label", async () => {
    const votes = { ada: "cat", bob: "cat", eve: "dog" };
    const shares = await rowsOf([consensus("r1", "cat", votes)]);
    expect(voterIn(shares, "ada").agreements).toBeCloseTo(2 / 3, 12);
    const label = await rowsOf([consensus("r1", "cat", votes, { method: "by-rank" })]);
    expect(voterIn(label, "ada").agreements).toBe(1);
    const nothing = await rowsOf([dispute("r1", votes, { method: "by-rank" })]);
    expect(voterIn(nothing, "ada")).toBeUndefined();
    expect(kindIn(nothing)).toMatchObject({ closed: 1, consensus: 0 });
    expect(reviewerIn(nothing, "ada")).toMatchObject({ reviews: 1, withResult: { of: 0 } });
  });

  test("kinds of task do not mix, also without a name and with slashes in it", async () => {
    const votes = { ada: "cat", "b/ada": "dog" };
    const kinds = [undefined, "a", "a/b", "a%2Fb", "%".repeat(256), "\u{d800}"];
    const rows = await rowsOf(kinds.map((taskKind, i) => consensus(`r${i}`, "cat", votes, { taskKind })));
    for (const kind of kinds) {
      expect(rows[kindKey(kind)]).toMatchObject({ closed: 1 });
      for (const voter of Object.keys(votes)) expect(rows[voterKey(kind, voter)]).toMatchObject({ total: 1 });
    }
    expect(Object.keys(rows).filter((key) => key.startsWith("voter/"))).toHaveLength(2 * kinds.length);
    expect(kindKey("pets")).toBe("kind/pets");
    expect(voterKey(undefined, "ada")).toBe("voter//ada");
    expect(reviewerIn(rows, "ada")).toMatchObject({ reviews: kinds.length });
  });
});

describe("gold", () => {
  const votes = { ada: "cat", bob: "dog" };

  test("is what is true, whatever the votes say and whoever settles it", async () => {
    const asked = [
      request("r1", { gold: "dog" }),
      consensus("r1", "cat", votes, { posterior: { cat: 0.9, dog: 0.1 } }),
    ];
    const settled = [...asked, of("r1", "ReviewReturned", { reviewer: "zoe", label: "cat" })];
    for (const history of [asked, settled]) {
      const rows = await rowsOf(history);
      expect(voterIn(rows, "ada")).toMatchObject({ agreements: 0, total: 1, withGold: { agreed: 0, of: 1 } });
      expect(voterIn(rows, "bob")).toMatchObject({ agreements: 1, total: 1, withGold: { agreed: 1, of: 1 } });
      expect(kindIn(rows).classes).toEqual({ cat: 0, dog: 1 });
    }
  });

  test("that nobody said makes all of them wrong, also in free text", async () => {
    const options = [...pets, "cow"];
    const chosen = await rowsOf([request("r1", { gold: "cow", options }), dispute("r1", votes)]);
    expect(voterIn(chosen, "ada")).toMatchObject({ agreements: 0, total: 1, confusion: { cow: { cat: 1 } } });
    const written = await rowsOf([request("r1", { gold: "cow", options: undefined }), dispute("r1", votes)]);
    expect(voterIn(written, "ada")).toMatchObject({ agreements: 0, total: 1, withGold: { agreed: 0, of: 1 } });
  });

  test("is in no row while it may help somebody", async () => {
    const cast = of("r1", "HumanLabelSubmitted", { reviewer: "ada", label: "cat" });
    const rows = await rowsOf([request("r1", { gold: "cow" }), cast]);
    expect(Object.keys(rows)).toEqual(["reviewer/ada"]);
    expect(JSON.stringify(rows)).not.toContain("cow");
  });
});

/** The votes of a set, each item a review that is closed at once. */
function crowd(name: string): Happened[] {
  return readCrowdSet(name).items.map(({ votes }, i) => {
    return dispute(`r${i}`, Object.fromEntries(votes.map(({ voter, label }) => [voter, label])));
  });
}

describe("agreement", () => {
  const skip = absentCrowds !== undefined;

  test.skipIf(skip).each(["bluebirds", "snow_rte", "hitspam_mturk"])("on %s equals the reference", async (name) => {
    const reference = referenceOf(name);
    const rows = await rowsOf(crowd(name));
    expect(kindIn(rows).alpha).toBeCloseTo(reference.krippendorff_alpha_nominal, 4);
    if (reference.fleiss_kappa === null) expect(kindIn(rows)).not.toHaveProperty("kappa");
    else expect(kindIn(rows).kappa).toBeCloseTo(reference.fleiss_kappa, 4);
  });

  test.skipIf(skip)("does not depend on the order in which reviews come", async () => {
    const history = crowd("bluebirds");
    const rows = await rowsOf(history);
    const backwards = await rowsOf([...history].reverse());
    for (const [key, row] of Object.entries(rows)) expectSameCounts(backwards[key], row);
  });

  test("of a voter with what is true is Cohen's", async () => {
    const truths = ["cat", "cat", "dog", "cat", "dog", "cow"];
    const said = ["cat", "dog", "dog", "cat", "cat", "cow"];
    const rows = await rowsOf(
      truths.map((truth, i) => consensus(`r${i}`, truth, { ada: said[i] as string }, { method: "by-rank" })),
    );
    const votes = truths.flatMap((truth, i) => [
      { item: `${i}`, voter: "truth", label: truth },
      { item: `${i}`, voter: "ada", label: said[i] as string },
    ]);
    expect(voterIn(rows, "ada").kappa).toBeCloseTo(cohenKappa(votes, "truth", "ada") as number, 12);
    expect(kindIn(rows)).toMatchObject({ votesEach: 1 });
    expect(kindIn(rows)).not.toHaveProperty("kappa");
  });
});

/** A review as it was closed, and what came after that. */
interface Story {
  readonly votes: Votes;
  readonly posterior: Posterior;
  readonly label: string | undefined;
  readonly gold: string | undefined;
  readonly after: readonly (readonly ["adjudicate" | "accept" | "fix" | "return" | "cancel", string])[];
}

const label = fc.constantFrom(...pets);
const anyStory: fc.Arbitrary<Story> = fc.record({
  votes: fc.dictionary(fc.constantFrom("ada", "bob", "eve", "toString"), label, { minKeys: 1, noNullPrototype: true }),
  posterior: fc.double({ min: 0, max: 1, noNaN: true }).map((cat) => ({ cat, dog: 1 - cat })),
  label: fc.option(label, { nil: undefined }),
  gold: fc.option(label, { nil: undefined }),
  after: fc.array(fc.tuple(fc.constantFrom("adjudicate", "accept", "fix", "return", "cancel"), label), {
    maxLength: 5,
  }),
});

/** The events of a story as far as the chart of a review accepts them, and what it came to. */
function told({ votes, posterior, label: found, gold, after }: Story, id: string) {
  const closing = found === undefined ? dispute(id, votes, { posterior }) : consensus(id, found, votes, { posterior });
  const events = [request(id, { ...(gold !== undefined && { gold }) }), closing];
  let now: { readonly label: string | undefined; readonly isSettled: boolean } = { label: found, isSettled: false };
  for (const [what, said] of after) {
    const isLabelled = now.label !== undefined;
    if (isLabelled === (what === "adjudicate" || what === "cancel")) continue;
    const by = { reviewer: "zoe" };
    if (what === "cancel") {
      events.push(of(id, "ReviewCancelled"));
      break;
    }
    if (what === "return") {
      events.push(of(id, "ReviewReturned", { ...by, label: now.label }));
      now = { label: undefined, isSettled: false };
      continue;
    }
    const name = { adjudicate: "ReviewAdjudicated", accept: "ReviewAccepted", fix: "ReviewFixed" }[what];
    now = { label: what === "accept" ? now.label : said, isSettled: true };
    events.push(of(id, name, { ...by, label: now.label }));
    if (what !== "adjudicate") break;
  }
  const settled = now.isSettled && now.label !== undefined ? { [now.label]: 1 } : posterior;
  return { events, end: { votes, gold, label: now.label, truth: gold === undefined ? settled : { [gold]: 1 } } };
}

describe("whatever way reviews take", () => {
  test("each counts once, by how it ended", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStory, { maxLength: 6 }), fc.infiniteStream(fc.nat(9)), async (stories, turns) => {
        const all = stories.map((story, i) => told(story, `r${i}`));
        const rows = await rowsOf(
          interleaved(
            all.map(({ events }) => [...events]),
            turns,
          ),
        );
        const ends = all.map(({ end }) => end);
        const counted = ends.reduce<QualityRows>((before, { votes, truth }) => {
          return addReview(before, { votes: cast(votes), truth });
        }, noReviews);
        if (ends.length > 0) expectSameCounts(pick(kindIn(rows), Object.keys(noReviews.kind)), counted.kind);
        for (const [voter, row] of Object.entries(counted.voters)) {
          const found = voterIn(rows, voter);
          expectSameCounts(pick(found, Object.keys(row)), row);
          const own = ends.filter(({ votes }) => Object.hasOwn(votes, voter));
          expect(found.withResult).toEqual(
            shareOf(
              voter,
              own.map((end) => [end.votes, end.label]),
            ),
          );
          expect(found.withGold).toEqual(
            shareOf(
              voter,
              own.map((end) => [end.votes, end.gold]),
            ),
          );
          const { withResult, withGold } = found;
          expect(reviewerIn(rows, voter)).toMatchObject({ reviews: own.length, withResult, withGold });
        }
        const votes = ends.flatMap((end, i) => cast(end.votes).map((vote) => ({ ...vote, item: `${i}` })));
        expectKappa(kindIn(rows)?.alpha, krippendorffAlpha(votes));
        expectKappa(kindIn(rows)?.kappa, fleissKappa(votes));
      }),
      { numRuns: 60 },
    );
  });

  test("what is over is not remembered", () => {
    const votes = { ada: "cat", bob: "dog" };
    const endings = [
      [request("r1", { gold: "cat" }), of("r1", "ReviewCancelled")],
      [dispute("r1", votes), of("r1", "ReviewCancelled")],
      [consensus("r1", "cat", votes), of("r1", "ReviewAccepted", { reviewer: "zoe", label: "cat" })],
      [consensus("r1", "cat", votes), of("r1", "ReviewFixed", { reviewer: "zoe", label: "dog", original: "cat" })],
    ];
    for (const history of endings) {
      expect(notesOf(history.slice(0, 1)).size).toBe(1);
      expect(notesOf(history).size).toBe(0);
    }
  });
});

/** What the handlers remember beside the rows. */
function notesOf(history: readonly Happened[]): Map<string, unknown> {
  const notes = new Map<string, unknown>();
  const rows: Rows = { ...keyed(new Map()), notes: keyed(notes) };
  for (const { stream, type, data } of history) {
    const handler = quality.on[type];
    if (typeof handler === "function") handler({ stream, category: "review", type, data } as RecordedEvent, rows);
  }
  return notes;
}

function keyed(map: Map<string, unknown>): Rows["notes"] {
  return {
    get: (key) => map.get(key),
    put: (key, value) => void map.set(key, value),
    delete: (key) => void map.delete(key),
    scan: () => [],
  };
}

const cast = (votes: Votes) => Object.entries(votes).map(([voter, said]) => ({ voter, label: said }));

function interleaved(streams: Happened[][], turns: Iterator<number>): Happened[] {
  const events: Happened[] = [];
  for (let left = streams; left.length > 0; left = left.filter((stream) => stream.length > 0)) {
    const next = left[(turns.next().value as number) % left.length]?.shift();
    if (next !== undefined) events.push(next);
  }
  return events;
}

function pick(row: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(row).filter(([name]) => names.includes(name)));
}

function shareOf(voter: string, cases: readonly (readonly [Votes, string | undefined])[]) {
  const known = cases.filter(([, right]) => right !== undefined);
  return { agreed: known.filter(([votes, right]) => votes[voter] === right).length, of: known.length };
}

function expectKappa(found: number | undefined, expected: number | undefined): void {
  if (expected === undefined) expect(found).toBeUndefined();
  else expect(found).toBeCloseTo(expected, 9);
}
