/** The queue of reviews: its rows say what the reviews themselves say, after every event, and never the gold. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Aggregate, RecordedEvent, Rows } from "retrace";
import { describe, expect, test } from "vitest";
import review from "../../actors/aggregates/review.ts";
import reviewer from "../../actors/aggregates/reviewer.ts";
import { byUrgency, mayTake } from "../../actors/projections/review-queue/eligible.ts";
import type { ReviewRow } from "../../actors/projections/review-queue/review-row.ts";
import type { ReviewerRow } from "../../actors/projections/review-queue/reviewer-row.ts";
import queue from "../../actors/projections/review-queue.ts";
import { decideCommand } from "../../src/core/aggregate.ts";
import { type ChartState, initialState } from "../../src/core/chart.ts";

const start = Date.UTC(2026, 0, 1);
const at = (ms: number): string => new Date(start + ms).toISOString();

interface Sent {
  readonly id: string;
  readonly type: string;
  readonly data: object;
  /** When it is decided, in milliseconds from the start. */
  readonly ms?: number;
}

/** Streams of reviews and reviewers, and the rows that their events are folded into. */
class World implements Rows<unknown> {
  /** It has nothing to remember. */
  readonly notes = this;
  readonly rows = new Map<string, unknown>();
  readonly states = new Map<string, ChartState>();
  #position = 0;

  /** Decides a command and projects its events; false when it is refused. */
  send(aggregate: Aggregate, { id, type, data, ms = 0 }: Sent): boolean {
    const stream = `${aggregate.category}-${id}`;
    const state = this.states.get(stream) ?? initialState(aggregate.machine);
    const metadata = { correlationId: "c", causationId: "c", commandId: "c" };
    const command = { type, data: aggregate.schemas.commands[type]?.parse(data), occurredAt: at(ms), metadata };
    const context = { id, now: at(ms) };
    const decided = decideCommand(aggregate, { state, version: 1, command, context, newId: () => "e" });
    if (decided.outcome !== "accepted") return false;
    this.states.set(stream, decided.state);
    for (const event of decided.events) {
      this.#position += 1;
      const base = { stream, category: aggregate.category, schemaVersion: 1, recordedAt: at(ms), metadata };
      this.project({ ...base, ...event, position: this.#position });
    }
    return true;
  }

  project(event: RecordedEvent): void {
    const handler = queue.on[event.type];
    if (typeof handler === "function") handler(event, this);
  }

  get(key: string): unknown {
    return this.rows.get(key);
  }

  put(key: string, row: unknown): void {
    // As it comes back from a store, and not to be changed.
    this.rows.set(key, freezeDeep(JSON.parse(JSON.stringify(row))));
  }

  delete(key: string): void {
    this.rows.delete(key);
  }

  *scan(prefix: string): Iterable<{ readonly key: string; readonly value: unknown }> {
    for (const [key, value] of this.rows) if (key.startsWith(prefix)) yield { key, value };
  }

  review(id: string): ReviewRow | undefined {
    return (this.rows.get(id) ?? this.rows.get(`decided/${id}`)) as ReviewRow | undefined;
  }

  reviewer(name: string): ReviewerRow | undefined {
    const rows = [`reviewer/${name}`, `visitor/${name}`].flatMap((key) => this.rows.get(key) ?? []) as ReviewerRow[];
    assert(rows.length <= 1, `${name} has one row`);
    return rows[0];
  }
}

function freezeDeep(value: unknown): unknown {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freezeDeep);
  return value;
}

const request = {
  ...{ subject: { category: "inference", id: "i1", note: "x" }, taskKind: "label", question: "which?", rubric: "look" },
  ...{ options: ["cat", "dog"], k: 2, maxK: 4, priority: 3, dueAt: at(1_000_000), reason: "low confidence" },
  ...{ requiredSkills: ["pets"], excludedReviewers: ["eve"] },
};

function begin(...commands: readonly (readonly [type: string, data?: object, ms?: number])[]): World {
  const world = new World();
  assert(world.send(review, { id: "r1", type: "RequestReview", data: { ...request, gold: "dog" } }));
  for (const [type, data = {}, ms = 0] of commands) assert(world.send(review, { id: "r1", type, data, ms }), type);
  return world;
}

const claim = (reviewer: string) => ["ClaimReview", { reviewer }] as const;
const vote = (reviewer: string, label = "cat") => [claim(reviewer), ["SubmitLabel", { reviewer, label }]] as const;
const agreed = [...vote("ada"), ...vote("bob"), ["CloseReview"]] as const;

describe("a row", () => {
  test("says what a reviewer has to know, and neither the question's gold nor anybody's vote", () => {
    expect(begin().rows.get("r1")).toEqual({
      ...{ status: "requested", subject: { category: "inference", id: "i1" }, taskKind: "label", priority: 3 },
      ...{ dueAt: at(1_000_000), requestedAt: at(0), reason: "low confidence", options: ["cat", "dog"] },
      ...{ requiredSkills: ["pets"], excludedReviewers: ["eve"], k: 2, maxK: 4, votes: 0, level: 0 },
      ...{ votedBy: [], skippedBy: [], leases: [], assigned: [], adjudicatedBy: [] },
    });
    const world = begin(
      ["AssignReview", { reviewer: "ida" }],
      ["SkipReview", { reviewer: "sam" }],
      ...vote("ada"),
      claim("bob"),
    );
    expect(world.rows.get("r1")).toMatchObject({
      ...{ status: "voting", votes: 1, votedBy: ["ada"], skippedBy: ["sam"], assigned: ["ida"] },
      leases: [{ reviewer: "bob", leaseUntil: at(30 * 60_000) }],
    });
  });

  test("stays while the votes are not counted or in dispute, and says how far it was escalated", () => {
    const undecided = begin(...vote("ada"), ...vote("bob", "dog"));
    expect(undecided.rows.get("r1")).toMatchObject({ status: "voted", votes: 2 });
    const level2 = { level: 2, priority: 9, dueAt: at(5) };
    undecided.send(review, { id: "r1", type: "EscalateReview", data: level2 });
    expect(undecided.rows.get("r1")).toMatchObject({ status: "voted", ...level2 });
    undecided.send(review, { id: "r1", type: "CloseReview", data: {} });
    expect(undecided.rows.get("r1")).toMatchObject({ status: "disputed" });
    expect(begin(["EscalateReview", { level: 1 }]).rows.get("r1")).toMatchObject({ status: "escalated", priority: 3 });
  });

  test("moves to the second line with its result, back when that returns it, and goes when it is accepted", () => {
    const world = begin(...agreed);
    expect(world.rows.has("r1")).toBe(false);
    expect(world.rows.get("decided/r1")).toMatchObject({ status: "consensus", label: "cat" });
    world.send(review, { id: "r1", type: "ReturnLabel", data: { reviewer: "zoe" } });
    expect(world.rows.has("decided/r1")).toBe(false);
    expect(world.rows.get("r1")).toMatchObject({ status: "disputed" });
    expect(world.review("r1")).not.toHaveProperty("label");
    world.send(review, { id: "r1", type: "AdjudicateReview", data: { reviewer: "zoe", label: "dog" } });
    expect(world.rows.get("decided/r1")).toMatchObject({ status: "adjudicated", label: "dog", adjudicatedBy: ["zoe"] });
    world.send(review, { id: "r1", type: "AcceptLabel", data: { reviewer: "max" } });
    expect(world.review("r1")).toBeUndefined();
  });

  test.each([
    ["FixLabel", { reviewer: "zoe", label: "dog" }, agreed],
    ["CancelReview", {}, [claim("ada")]],
    ["CancelReview", { expired: true }, [claim("ada")]],
  ] as const)("goes with %s %j, and the load with it", (type, data, before) => {
    const world = begin(["AssignReview", { reviewer: "ida" }], ...before);
    world.send(review, { id: "r1", type, data, ms: 2_000_000 });
    expect([...world.rows.keys()].filter((key) => !/^(?:reviewer|visitor)\//.test(key))).toEqual([]);
    for (const name of ["ada", "ida"]) expect(world.reviewer(name)).toMatchObject({ openLeases: 0, assigned: 0 });
    expect(world.reviewer("ada")?.done).toBe(type === "FixLabel" ? 1 : 0);
  });
});

test("a reviewer's row has the profile and the load, whichever came first", () => {
  const world = begin(["AssignReview", { reviewer: "ada" }]);
  const none = { isRegistered: false, skills: [], openLeases: 0, assigned: 0, done: 0 };
  expect(world.reviewer("ada")).toEqual({ ...none, assigned: 1 });
  world.send(reviewer, { id: "ada", type: "RegisterReviewer", data: { skills: ["pets"], capacity: 2 } });
  expect(world.reviewer("ada")).toEqual({ ...none, isRegistered: true, skills: ["pets"], capacity: 2, assigned: 1 });
  expect(world.rows.has("reviewer/ada")).toBe(true);
  world.send(review, { id: "r1", type: "ClaimReview", data: { reviewer: "ada" } });
  world.send(reviewer, { id: "ada", type: "ChangeReviewer", data: { capacity: null } });
  expect(world.reviewer("ada")).toEqual({ ...none, isRegistered: true, skills: ["pets"], openLeases: 1 });
  world.send(review, { id: "r1", type: "SubmitLabel", data: { reviewer: "ada", label: "cat" } });
  world.send(reviewer, { id: "ada", type: "RetireReviewer", data: {} });
  expect(world.reviewer("ada")).toEqual({ ...none, done: 1 });
});

test("events of a review that was never requested change nothing", () => {
  const world = new World();
  const metadata = { correlationId: "c", causationId: "c", commandId: "c" };
  const event = {
    id: "e",
    stream: "review-r9",
    category: "review",
    version: 2,
    position: 1,
    schemaVersion: 1,
    metadata,
  };
  world.project({ ...event, type: "ReviewDisputed", data: {}, occurredAt: at(0), recordedAt: at(0) });
  expect(world.rows.size).toBe(0);
});

describe("whose it is to take", () => {
  const row = begin(...vote("ada"), claim("bob"), ["SkipReview", { reviewer: "sam" }]).review("r1") as ReviewRow;
  const may = (name: string, ms: number, skills = ["pets", "more"]) => mayTake(row, { name, skills }, at(ms));
  const afterLease = 31 * 60_000;

  test("follows places, skills, exclusions and what was said already", () => {
    expect(may("ida", 0)).toBe(false);
    expect(may("ida", afterLease)).toBe(true);
    expect(may("bob", afterLease)).toBe(true);
    for (const name of ["ada", "sam", "eve"]) expect(may(name, afterLease)).toBe(false);
    expect(may("ida", afterLease, ["more"])).toBe(false);
    const voted = begin(...vote("ada"), ...vote("bob")).review("r1") as ReviewRow;
    expect(mayTake(voted, { name: "ida", skills: ["pets"] }, at(afterLease))).toBe(false);
  });

  test("the more urgent first: priority, then due, then age", () => {
    const rows = [
      { ...row, priority: 1, reason: "last" },
      { ...row, priority: 2, requestedAt: at(1), reason: "due, younger" },
      { ...row, priority: 2, requestedAt: at(0), reason: "due, older" },
      { ...row, priority: 2, dueAt: at(9), requestedAt: at(9), reason: "due first" },
      { ...(({ dueAt: _, ...never }) => never)(row), priority: 2, reason: "never due" },
    ];
    const order = rows.sort(byUrgency).map(({ reason }) => reason);
    expect(order).toEqual(["due first", "due, older", "due, younger", "never due", "last"]);
  });
});

describe("whatever happens, in any order", () => {
  const names = ["ada", "bob", "cy", "dee", "eve"];
  const name = fc.constantFrom(...names);
  const label = fc.constantFrom("cat", "dog");
  const command = fc.oneof(
    ...["AssignReview", "SkipReview", "ReleaseReview", "ExpireClaim", "AcceptLabel", "ReturnLabel"].map((type) =>
      fc.record({ type: fc.constant(type), data: fc.record({ reviewer: name }) }),
    ),
    {
      weight: 5,
      arbitrary: fc.record({
        type: fc.constant("ClaimReview"),
        data: fc.record({ reviewer: name, leaseMs: fc.constantFrom(50, 5_000) }),
      }),
    },
    ...["SubmitLabel", "SubmitLabel", "SubmitLabel", "AdjudicateReview", "FixLabel"].map((type) =>
      fc.record({ type: fc.constant(type), data: fc.record({ reviewer: name, label }) }),
    ),
    fc.record({ type: fc.constant("ExtendReview"), data: fc.record({ k: fc.integer({ min: 1, max: 4 }) }) }),
    fc.record({ type: fc.constant("EscalateReview"), data: fc.record({ level: fc.integer({ min: 1, max: 9 }) }) }),
    fc.constant({ type: "CloseReview", data: {} }),
  );
  const turn = fc.record({ command, id: fc.constantFrom("r1", "r2", "r3"), pauseMs: fc.constantFrom(0, 0, 10, 100) });
  const turns = fc.array(turn, { minLength: 20, maxLength: 150, size: "max" });

  test("the rows say what the reviews say, and nowhere the gold", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(turns, (sequence) => {
        const world = new World();
        const gold = "gold that nobody ever votes";
        for (const id of ["r1", "r2", "r3"]) {
          const data = { ...request, options: [gold, "cat", "dog"], gold };
          world.send(review, { id, type: "RequestReview", data: { ...data, k: id === "r1" ? 1 : 2 } });
        }
        let ms = 0;
        for (const { command, id, pauseMs } of sequence) {
          ms += pauseMs;
          if (!world.send(review, { id, ...command, ms })) continue;
          const state = world.states.get(`review-${id}`) as ChartState;
          seen.add(state.value as string);
          assertSame(world.review(id), state);
        }
        assertLoads(world);
        const rows = [...world.rows.values()].map((row) => ({ ...(row as ReviewRow), options: [] }));
        assert(!JSON.stringify(rows).includes(gold));
      }),
      { seed: 20_260_101, numRuns: 300 },
    );
    expect([...seen].sort()).toEqual(
      ["adjudicated", "closed", "consensus", "disputed", "escalated", "requested", "voted", "voting"].sort(),
    );
  });

  function assertSame(row: ReviewRow | undefined, { value, context }: ChartState): void {
    if (value === "closed") {
      assert.equal(row, undefined);
      return;
    }
    assert(row !== undefined);
    const leaseUntil = Object.fromEntries(row.leases.map((lease) => [lease.reviewer, lease.leaseUntil]));
    assert.deepEqual(
      { value: row.status, k: row.k, level: row.level, label: row.label, leaseUntil },
      { value, k: context.k, level: context.level, label: context.result.label, leaseUntil: context.leaseUntil },
    );
    const voters = context.votes.map(({ reviewer }: { reviewer: string }) => reviewer);
    assert.deepEqual([row.votedBy, row.votes], [voters, voters.length]);
    const inState = (state: string) => names.filter((one) => context.leases[one] === state);
    assert.deepEqual([...row.assigned].sort(), inState("assigned"));
    assert.deepEqual([...row.adjudicatedBy].sort(), inState("adjudicated"));
    assert.deepEqual(row.skippedBy.filter((one) => !row.adjudicatedBy.includes(one)).sort(), inState("skipped"));
  }

  function assertLoads(world: World): void {
    const states = [...world.states.values()];
    const count = (isOne: (state: ChartState) => boolean): number => states.filter(isOne).length;
    for (const one of names) {
      const { openLeases = 0, assigned = 0, done = 0 } = world.reviewer(one) ?? {};
      const expected = {
        openLeases: count(({ context }) => context.leases[one] === "leased"),
        assigned: count((state) => state.hasTag("open") && state.context.leases[one] === "assigned"),
        done: count(({ context }) => context.votes.some(({ reviewer }: { reviewer: string }) => reviewer === one)),
      };
      assert.deepEqual({ openLeases, assigned, done }, expected);
    }
  }
});
