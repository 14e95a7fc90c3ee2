/** The review: leases, votes, the result and the second line, and the laws that hold whoever comes in whatever order. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { CommandInput, EventData, EventOf } from "retrace";
import { type CommandOf, given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import review from "../../actors/aggregates/review.ts";
import { type Decided, decideCommand } from "../../src/core/aggregate.ts";
import type { ChartState } from "../../src/core/chart.ts";
import { acceptedIn } from "./accepted-in.ts";

type Event = EventOf<typeof review.schemas>;
type Command = CommandOf<typeof review.schemas>;
type Request = Partial<EventData<typeof review.schemas, "HumanReviewRequested">>;
type Closing = CommandInput<typeof review.schemas, "CloseReview">;

/** The time at which given/when/then decides, and times around it. */
const now = "2026-01-01T00:00:00.000Z";
const earlier = "2025-12-31T23:59:59.999Z";
const later = "2026-01-01T00:10:00.000Z";

const about = { subject: { category: "inference", id: "i1" }, taskKind: "label" };

const request = (data: Request = {}): Event => ({ type: "HumanReviewRequested", data: { k: 3, maxK: 5, ...data } });
const assigned = (reviewer: string): Event => ({ type: "ReviewAssigned", data: { reviewer } });
const claimed = (reviewer: string, leaseUntil = later): Event => ({
  type: "ReviewClaimed",
  data: { reviewer, leaseUntil },
});
const released = (reviewer: string): Event => ({ type: "ReviewReleased", data: { reviewer } });
const skipped = (reviewer: string): Event => ({ type: "ReviewSkipped", data: { reviewer } });
const claimExpired = (reviewer: string, leaseUntil = earlier): Event => ({
  type: "ReviewClaimExpired",
  data: { reviewer, leaseUntil },
});
const labelled = (reviewer: string, label = "cat"): Event => ({
  type: "HumanLabelSubmitted",
  data: { reviewer, label },
});
const voted = (reviewer: string, label = "cat"): Event[] => [claimed(reviewer), labelled(reviewer, label)];
const extended = (k: number): Event => ({ type: "ReviewExtended", data: { k } });
const escalated = (level: number, dueAt?: string): Event => ({
  type: "ReviewEscalated",
  data: { level, ...(dueAt && { dueAt }) },
});
const result = { method: "majority", votes: [] };
const consensus = (label = "cat"): Event => ({ type: "ReviewConsensusReached", data: { ...result, label } });
/** As far as a test says it: the rest of the event is not compared. */
const consensusBy = (method: string, label: string) =>
  ({ type: "ReviewConsensusReached", data: { method, label } }) as Event;
const disputed: Event = { type: "ReviewDisputed", data: result };
const adjudicated = (reviewer: string, label = "dog"): Event => ({
  type: "ReviewAdjudicated",
  data: { reviewer, label },
});
const accepted = (reviewer: string): Event => ({ type: "ReviewAccepted", data: { reviewer, label: "cat" } });
const returned = (reviewer: string): Event => ({ type: "ReviewReturned", data: { reviewer, label: "cat" } });
const cancelled = (expired: boolean): Event => ({ type: "ReviewCancelled", data: { expired } });

const open = request();
const allVoted = [request({ k: 1 }), ...voted("ada")];
const agreed = [...allVoted, consensus()];
const inDispute = [...allVoted, disputed];

const claim = (reviewer: string, leaseMs?: number): Command => ({
  type: "ClaimReview",
  data: { reviewer, ...(leaseMs !== undefined && { leaseMs }) },
});
const submit = (reviewer: string, label = "cat"): Command => ({ type: "SubmitLabel", data: { reviewer, label } });
const record = (...labels: CommandInput<typeof review.schemas, "RecordLabels">["labels"]): Command => ({
  type: "RecordLabels",
  data: { labels },
});
const close = (data: Closing = {}): Command => ({
  type: "CloseReview",
  data,
});

describe("the chart", () => {
  const commands: Command[] = [
    { type: "RequestReview", data: {} },
    { type: "AssignReview", data: { reviewer: "zoe" } },
    claim("zoe"),
    submit("bob"),
    record({ reviewer: "bob", label: "cat" }),
    { type: "SkipReview", data: { reviewer: "bob" } },
    { type: "ReleaseReview", data: { reviewer: "bob" } },
    { type: "ExtendReview", data: { k: 4 } },
    close(),
    { type: "AdjudicateReview", data: { reviewer: "zoe", label: "cat" } },
    { type: "AcceptLabel", data: { reviewer: "zoe" } },
    { type: "FixLabel", data: { reviewer: "zoe", label: "cow" } },
    { type: "ReturnLabel", data: { reviewer: "zoe" } },
    { type: "EscalateReview", data: { level: 7 } },
    { type: "CancelReview", data: {} },
  ];
  const withoutLease = [
    ...["AssignReview", "ClaimReview", "RecordLabels"],
    ...["SkipReview", "ExtendReview", "EscalateReview", "CancelReview"],
  ];
  const withLease = commands.slice(1, 8).map(({ type }) => type);
  const secondLine = ["AcceptLabel", "FixLabel", "ReturnLabel"];
  const [escalate, cancel] = ["EscalateReview", "CancelReview"];
  const whenVoted = ["ExtendReview", "CloseReview", escalate, cancel];

  test.each<[string, Event[], string[]]>([
    ["empty", [], ["RequestReview"]],
    ["requested", [open], withoutLease],
    ["requested", [open, assigned("ada"), skipped("eve"), extended(4)], withoutLease],
    ["voting", [open, claimed("bob")], [...withLease, escalate, cancel]],
    ["voting", [open, claimed("bob"), released("bob")], withoutLease],
    ["voting", [open, ...voted("ada")], withoutLease],
    ["escalated", [open, escalated(1)], withoutLease],
    ["escalated", [open, claimed("bob"), escalated(1), escalated(2)], [...withLease, escalate, cancel]],
    ["voting", [open, escalated(1), claimed("bob")], [...withLease, escalate, cancel]],
    ["voting", [open, claimed("ada"), escalated(1), labelled("ada")], withoutLease],
    ["voted", allVoted, whenVoted],
    ["voted", [...allVoted, escalated(1)], whenVoted],
    ["voting", [...allVoted, extended(2)], withoutLease],
    ["consensus", agreed, secondLine],
    ["disputed", inDispute, ["AdjudicateReview", escalate, cancel]],
    ["disputed", [...inDispute, escalated(1)], ["AdjudicateReview", escalate, cancel]],
    ["adjudicated", [...inDispute, adjudicated("eve")], secondLine],
    ["disputed", [...agreed, returned("eve")], ["AdjudicateReview", escalate, cancel]],
    ["closed", [...agreed, accepted("eve")], []],
    ["closed", [...agreed, { type: "ReviewFixed", data: { reviewer: "eve", label: "cow", original: "cat" } }], []],
    ["cancelled", [open, claimed("bob"), cancelled(false)], []],
    ["cancelled", [...inDispute, cancelled(false)], []],
    ["expired", [open, claimed("bob"), cancelled(true)], []],
    ["expired", [...allVoted, cancelled(true)], []],
  ])("%s accepts what its arrows say", (value, history, acceptedTypes) => {
    expect(given(review, history).state.value).toBe(value);
    expect(acceptedIn(review, history, commands)).toEqual(acceptedTypes);
  });

  test("a lease that has ended can be expired while the review is open, and in no other state", () => {
    const expire: Command = { type: "ExpireClaim", data: { reviewer: "bob" } };
    const ended = [open, claimed("bob", earlier)];
    for (const history of [ended, [...ended, escalated(1)]])
      expect(acceptedIn(review, history, [expire])).toHaveLength(1);
    for (const history of [[], [open], allVoted, agreed, inDispute, [...ended, cancelled(false)]]) {
      expect(acceptedIn(review, history, [expire])).toEqual([]);
    }
  });
});

describe("the chart alone", () => {
  test.each<[string, Event[], Event]>([
    ["more leases than places", [request({ k: 1 }), claimed("ada")], claimed("bob")],
    ["more leases than votes left", [request({ k: 2 }), ...voted("ada"), claimed("bob")], claimed("eve")],
    ["k above maxK", [open], extended(6)],
    ["k lowered", [open], extended(2)],
    ["k above maxK after the votes", allVoted, extended(6)],
    ["a level that falls", [open, escalated(2)], escalated(1)],
    ["a level that falls after the votes", [...allVoted, escalated(2)], escalated(1)],
    ["a level that falls in a dispute", [...inDispute, escalated(2)], escalated(2)],
  ])("refuses a history with %s", (_what, history, event) => {
    given(review, history);
    expect(() => given(review, [...history, event])).toThrow(event.type);
  });
});

describe("a request", () => {
  test("says how many votes it wants, at least and at most", () => {
    const ask = (data: Request) => given(review).whenRaw("RequestReview", data);
    ask({}).then([request({ k: 1, maxK: 1 })]);
    ask({ k: 3 }).then([request({ k: 3, maxK: 3 })]);
    ask({ maxK: 4 }).then([request({ k: 1, maxK: 4 })]);
    ask({ k: 2, maxK: 7 }).then([request({ k: 2, maxK: 7 })]);
  });

  test("is recorded as it was sent", () => {
    const data = {
      ...about,
      question: "Which animal?",
      options: ["cat", "dog"],
      rubric: { cat: "has whiskers" },
      k: 3,
      maxK: 5,
      requiredSkills: ["zoology"],
      excludedReviewers: ["ada"],
      priority: 2,
      dueAt: later,
      gold: "cat",
      reason: "confidence 0.4",
    };
    given(review)
      .when({ type: "RequestReview", data })
      .then([{ type: "HumanReviewRequested", data }]);
  });

  test("keeps the gold label out of the state, and of every later event", () => {
    const history = [request({ gold: "cow", k: 1 }), ...voted("ada"), consensus()];
    const { state, when } = given(review, history);
    expect(JSON.stringify(state.context)).not.toContain("cow");
    const after = when({ type: "AcceptLabel", data: { reviewer: "bob" } }).then([accepted("bob")]);
    expect(JSON.stringify(after.context)).not.toContain("cow");
  });
});

describe("the keys by which readers group", () => {
  const requested = request({ ...about, k: 1 });
  const [inVote, done] = [
    [requested, claimed("ada")],
    [requested, ...voted("ada")],
  ];

  test.each<[Event[], Command, Event["type"]]>([
    [[requested], { type: "AssignReview", data: { reviewer: "bob" } }, "ReviewAssigned"],
    [[requested], claim("bob"), "ReviewClaimed"],
    [inVote, { type: "ReleaseReview", data: { reviewer: "ada" } }, "ReviewReleased"],
    [[requested, claimed("ada", now)], { type: "ExpireClaim", data: { reviewer: "ada" } }, "ReviewClaimExpired"],
    [inVote, submit("ada"), "HumanLabelSubmitted"],
    [inVote, { type: "SkipReview", data: { reviewer: "ada" } }, "ReviewSkipped"],
    [done, { type: "ExtendReview", data: { k: 2 } }, "ReviewExtended"],
    [done, close(), "ReviewConsensusReached"],
    [done, close({ disputed: true }), "ReviewDisputed"],
    [[...done, disputed], { type: "AdjudicateReview", data: { reviewer: "bob", label: "dog" } }, "ReviewAdjudicated"],
    [[...done, consensus()], { type: "AcceptLabel", data: { reviewer: "bob" } }, "ReviewAccepted"],
    [[...done, consensus()], { type: "FixLabel", data: { reviewer: "bob", label: "dog" } }, "ReviewFixed"],
    [[...done, consensus()], { type: "ReturnLabel", data: { reviewer: "bob" } }, "ReviewReturned"],
    [done, { type: "EscalateReview", data: { level: 1 } }, "ReviewEscalated"],
    [done, { type: "CancelReview", data: {} }, "ReviewCancelled"],
  ])("after %j, %j makes an event that has them", (history, command, type) => {
    const { outcome } = decide(given(review, history).state, command);
    assert(outcome.outcome === "accepted");
    expect(outcome.events).toMatchObject([{ type, data: about }]);
  });

  test("are the subject's name and not all that the request said of it", () => {
    const version = { category: "model", id: "m1", version: "v2" };
    given(review, [request({ subject: { ...version, metrics: { auc: 1 } } })])
      .when(claim("ada"))
      .then([
        { type: "ReviewClaimed", data: { reviewer: "ada", leaseUntil: "2026-01-01T00:30:00.000Z", subject: version } },
      ]);
    expect(given(review, [request({ subject: { ...version, metrics: {} } })]).state.context.about).toEqual({
      subject: version,
    });
    expect(given(review, [open]).state.context.about).toEqual({});
  });
});

describe("claiming", () => {
  test("lasts half an hour, or as long as it says", () => {
    given(review, [open])
      .when(claim("ada"))
      .then([claimed("ada", "2026-01-01T00:30:00.000Z")]);
    given(review, [open])
      .when(claim("ada", 90_000))
      .then([claimed("ada", "2026-01-01T00:01:30.000Z")]);
  });

  test("again while the lease is live is success without an event", () => {
    given(review, [open, claimed("ada")])
      .when(claim("ada"))
      .thenNothing();
    given(review, [request({ k: 1 }), claimed("ada")])
      .when(claim("ada"))
      .thenNothing();
  });

  test("needs a place: k less the votes cast less the leases of others", () => {
    const full = [open, ...voted("ada"), claimed("bob"), claimed("eve")];
    given(review, full).when(claim("zoe")).thenRejected("PLACES_TAKEN");
    given(review, full.slice(0, -1))
      .when(claim("zoe"))
      .then([claimed("zoe", "2026-01-01T00:30:00.000Z")]);
    given(review, [...full, released("eve")])
      .when(claim("zoe"))
      .then([claimed("zoe", "2026-01-01T00:30:00.000Z")]);
    given(review, [...full, skipped("eve")])
      .when(claim("zoe"))
      .then([claimed("zoe", "2026-01-01T00:30:00.000Z")]);
    given(review, [...full, extended(4)])
      .when(claim("zoe"))
      .then([claimed("zoe", "2026-01-01T00:30:00.000Z")]);
  });

  test("says when the next place may be free", () => {
    const full = [request({ k: 2 }), claimed("ada"), claimed("bob", "2026-01-01T00:05:00.000Z")];
    const { outcome } = decide(given(review, full).state, claim("zoe"));
    expect(outcome).toMatchObject({ details: { k: 2, votes: 0, nextEnd: "2026-01-01T00:05:00.000Z" } });
  });

  test("takes the places of leases that have ended, and first records their end", () => {
    const history = [request({ k: 2 }), claimed("ada", earlier), claimed("bob", now)];
    const state = given(review, history)
      .when(claim("zoe"))
      .then([claimExpired("ada", earlier), claimExpired("bob", now), claimed("zoe", "2026-01-01T00:30:00.000Z")]);
    expect(state.context.leases).toEqual({ zoe: "leased" });
    given(review, history)
      .when(claim("zoe"), { now: earlier.replace("999", "998") })
      .thenRejected("PLACES_TAKEN");
  });

  test("again after one's own lease has ended is allowed", () => {
    given(review, [request({ k: 1 }), claimed("ada", now)])
      .when(claim("ada"))
      .then([claimExpired("ada", now), claimed("ada", "2026-01-01T00:30:00.000Z")]);
    given(review, [open, claimed("ada"), claimExpired("ada")])
      .when(claim("ada"))
      .then([claimed("ada", "2026-01-01T00:30:00.000Z")]);
  });

  test("is not for those who voted, skipped or are excluded, whether or not a place is free", () => {
    for (const k of [2, 3]) {
      const history = [
        request({ k, excludedReviewers: ["eve"] }),
        ...voted("ada"),
        skipped("bob"),
        claimed("ida", k === 2 ? later : earlier),
      ];
      const { when } = given(review, history);
      when(claim("ada")).thenNotAllowed({ state: "voted", part: { name: "lease", key: "ada" } });
      when(claim("bob")).thenNotAllowed({ state: "skipped", part: { name: "lease", key: "bob" } });
      when(claim("eve")).thenNotAllowed({ state: "excluded", part: { name: "lease", key: "eve" } });
    }
  });

  test("of what everybody has voted on is refused, naming the state of the review", () => {
    given(review, allVoted).when(claim("bob")).thenNotAllowed({ state: "voted" });
    given(review, [open, claimed("ada", earlier), cancelled(false)])
      .when(claim("ada"))
      .thenNotAllowed({ state: "cancelled" });
  });

  test("that came to nothing leaves no trace in the state", () => {
    const history = [
      open,
      claimed("ada"),
      released("ada"),
      assigned("bob"),
      released("bob"),
      claimed("eve"),
      claimExpired("eve"),
    ];
    expect(given(review, history).state.context).toMatchObject({ leases: {}, leaseUntil: {} });
  });

  test("may be done by somebody with a name that every object has", () => {
    given(review, [open])
      .when(claim("constructor"))
      .then([claimed("constructor", "2026-01-01T00:30:00.000Z")]);
    given(review, [open]).when(submit("constructor")).thenNotAllowed({ state: "none" });
  });
});

describe("the end of a lease", () => {
  const expire: Command = { type: "ExpireClaim", data: { reviewer: "ada" } };

  test("is recorded only when it has come", () => {
    given(review, [open, claimed("ada", now)])
      .when(expire)
      .then([claimExpired("ada", now)]);
    given(review, [open, claimed("ada")])
      .when(expire)
      .thenRejected("LEASE_LIVE");
    given(review, [open, claimed("ada")])
      .when(expire, { now: later })
      .then([claimExpired("ada", later)]);
  });

  test("of somebody without a lease is refused", () => {
    given(review, [open, assigned("ada")])
      .when(expire)
      .thenNotAllowed({ state: "assigned", part: { name: "lease", key: "ada" } });
  });

  test("comes with the end of the review", () => {
    const { state, when } = given(review, [open, claimed("ada"), assigned("bob"), cancelled(false)]);
    expect(state.context).toMatchObject({ leases: { bob: "assigned" }, leaseUntil: {} });
    expect(state.context.leases).not.toHaveProperty("ada");
    when(expire).thenNotAllowed({ state: "cancelled" });
    when(claim("ada")).thenNotAllowed({ state: "cancelled" });
    when(submit("ada")).thenNotAllowed({ state: "cancelled" });
  });
});

describe("assigning", () => {
  const assign = (reviewer: string): Command => ({ type: "AssignReview", data: { reviewer, reason: "least loaded" } });

  test("keeps no place, and nobody away", () => {
    const history = [request({ k: 1 }), assigned("ada"), assigned("bob")];
    given(review, history)
      .when(claim("eve"))
      .then([claimed("eve", "2026-01-01T00:30:00.000Z")]);
    given(review, [...history, claimed("eve")])
      .when(claim("ada"))
      .thenRejected("PLACES_TAKEN");
  });

  test("is possible beyond the places, and once", () => {
    given(review, [request({ k: 1 }), assigned("ada"), claimed("eve")])
      .when(assign("bob"))
      .then([{ type: "ReviewAssigned", data: { reviewer: "bob", reason: "least loaded" } }]);
    given(review, [open, assigned("ada")])
      .when(assign("ada"))
      .thenNothing();
    given(review, [...allVoted.slice(0, 1), assigned("bob"), ...voted("ada")])
      .when(assign("bob"))
      .thenNotAllowed({ state: "voted" });
  });

  test("is given back by releasing or skipping it", () => {
    const { when } = given(review, [open, assigned("ada")]);
    when({ type: "ReleaseReview", data: { reviewer: "ada" } }).then([released("ada")]);
    when({ type: "SkipReview", data: { reviewer: "ada", reason: "not my field" } }).then([
      { type: "ReviewSkipped", data: { reviewer: "ada", reason: "not my field" } },
    ]);
  });

  test("is not to those who claimed, voted, skipped or are excluded", () => {
    const history = [request({ excludedReviewers: ["eve"] }), ...voted("ada"), skipped("bob"), claimed("ida")];
    const { when } = given(review, history);
    when(assign("ada")).thenNotAllowed({ state: "voted", part: { name: "lease", key: "ada" } });
    when(assign("bob")).thenNotAllowed({ state: "skipped", part: { name: "lease", key: "bob" } });
    when(assign("eve")).thenNotAllowed({ state: "excluded", part: { name: "lease", key: "eve" } });
    when(assign("ida")).thenNotAllowed({ state: "leased", part: { name: "lease", key: "ida" } });
  });
});

describe("giving back", () => {
  test("needs something to give back", () => {
    given(review, [open, ...voted("ada")])
      .when({ type: "ReleaseReview", data: { reviewer: "ada" } })
      .thenNotAllowed({ state: "voted", part: { name: "lease", key: "ada" } });
    given(review, [open])
      .when({ type: "ReleaseReview", data: { reviewer: "ada", reason: "lunch" } })
      .thenNotAllowed({ state: "none", part: { name: "lease", key: "ada" } });
  });

  test("works after the lease has ended, and by skipping without ever having claimed", () => {
    given(review, [open, claimed("ada", earlier)])
      .when({ type: "ReleaseReview", data: { reviewer: "ada", reason: "lunch" } })
      .then([{ type: "ReviewReleased", data: { reviewer: "ada", reason: "lunch" } }]);
    given(review, [open, claimed("ada", earlier)])
      .when({ type: "SkipReview", data: { reviewer: "ada" } })
      .then([skipped("ada")]);
    given(review, [open])
      .when({ type: "SkipReview", data: { reviewer: "ada" } })
      .then([skipped("ada")]);
  });
});

describe("voting", () => {
  test("records effort and comment", () => {
    const data = { reviewer: "ada", label: "cat", effortMs: 5200, comment: "whiskers" };
    const state = given(review, [open, claimed("ada")])
      .when({ type: "SubmitLabel", data })
      .then([{ type: "HumanLabelSubmitted", data }]);
    expect(state.context).toMatchObject({
      votes: [{ reviewer: "ada", label: "cat" }],
      leases: { ada: "voted" },
      leaseUntil: {},
    });
  });

  test("needs one's own live lease", () => {
    const { when } = given(review, [open, claimed("ada"), assigned("bob")]);
    when(submit("bob")).thenNotAllowed({ state: "assigned", part: { name: "lease", key: "bob" } });
    when(submit("eve")).thenNotAllowed({ state: "none", part: { name: "lease", key: "eve" } });
    when(submit("ada"), { now: "2026-01-01T00:09:59.999Z" }).then([labelled("ada")]);
    when(submit("ada"), { now: later }).thenRejected("LEASE_ENDED");
  });

  test("a claim may say until when, within seven days", () => {
    const { when } = given(review, [open]);
    const until = (leaseUntil: string): Command => ({ type: "ClaimReview", data: { reviewer: "ada", leaseUntil } });
    when(until(later), { now }).then([{ type: "ReviewClaimed", data: { reviewer: "ada", leaseUntil: later } }]);
    when(until("2026-01-08T00:00:00.000Z"), { now }).then([
      { type: "ReviewClaimed", data: { reviewer: "ada", leaseUntil: "2026-01-08T00:00:00.000Z" } },
    ]);
    when(until("2026-01-08T00:00:00.001Z"), { now }).thenRejected("LEASE_OUT_OF_RANGE");
    when(until(now), { now }).thenRejected("LEASE_OUT_OF_RANGE");
    when(until(earlier), { now }).thenRejected("LEASE_OUT_OF_RANGE");
  });

  test("happens once", () => {
    given(review, [open, ...voted("ada")])
      .when(submit("ada"))
      .thenNotAllowed({ state: "voted", part: { name: "lease", key: "ada" } });
  });

  test("is for one of the options where there are any", () => {
    const history = [request({ options: ["cat", "dog"] }), claimed("ada")];
    given(review, history)
      .when(submit("ada", "dog"))
      .then([labelled("ada", "dog")]);
    given(review, history).when(submit("ada", "cow")).thenRejected("LABEL_NOT_AN_OPTION");
    given(review, [request({ options: [] }), claimed("ada")])
      .when(submit("ada", "a cow,\nI think"))
      .then([labelled("ada", "a cow,\nI think")]);
  });

  test("ends at exactly k votes", () => {
    const two = [open, ...voted("ada"), ...voted("bob")];
    expect(given(review, two).state.value).toBe("voting");
    expect(given(review, [...two, ...voted("eve")]).state.value).toBe("voted");
    given(review, [...two, ...voted("eve")])
      .when(submit("zoe"))
      .thenNotAllowed({ state: "voted" });
  });
});

describe("recording votes that were cast elsewhere", () => {
  const half = "2026-01-01T00:30:00.000Z";
  const by = (reviewer: string, label = "cat") => ({ reviewer, label });
  const claimedNow = (reviewer: string) => claimed(reviewer, half);

  test("decides what a claim and a submission of each would have decided", () => {
    const votes = [{ ...by("ada"), effortMs: 5200, comment: "whiskers" }, by("bob", "dog")];
    const state = given(review, [request({ ...about })])
      .when(record(...votes))
      .then([
        { type: "ReviewClaimed", data: { reviewer: "ada", leaseUntil: half, ...about } },
        { type: "HumanLabelSubmitted", data: { ...votes[0], ...about } },
        { type: "ReviewClaimed", data: { reviewer: "bob", leaseUntil: half, ...about } },
        { type: "HumanLabelSubmitted", data: { ...votes[1], ...about } },
      ] as Event[]);
    expect(state.value).toBe("voting");
    expect(state.context).toMatchObject({ votes: [by("ada"), by("bob", "dog")], leaseUntil: {} });
  });

  test("ends the vote with the last of them", () => {
    const state = given(review, [open])
      .when(record(by("ada"), by("bob"), by("eve")))
      .then([...["ada", "bob", "eve"].flatMap((reviewer) => [claimedNow(reviewer), labelled(reviewer)])]);
    expect(state.value).toBe("voted");
  });

  test("uses the lease of who has one, and records its end first where it is over", () => {
    given(review, [open, claimed("ada")])
      .when(record(by("ada")))
      .then([labelled("ada")]);
    given(review, [request({ k: 1 }), claimed("ada")])
      .when(record(by("ada")))
      .then([labelled("ada")]);
    given(review, [request({ k: 1 }), claimed("ada", now)])
      .when(record(by("ada")))
      .then([claimExpired("ada", now), claimedNow("ada"), labelled("ada")]);
    given(review, [request({ k: 2 }), claimed("ada"), claimed("bob", earlier)])
      .when(record(by("ada")))
      .then([labelled("ada")]);
    given(review, [request({ k: 2 }), claimed("ada"), claimed("bob", earlier)])
      .when(record(by("eve")))
      .then([claimExpired("bob", earlier), claimedNow("eve"), labelled("eve")]);
  });

  test("needs a place for each, and takes all or none", () => {
    const { when } = given(review, [open, ...voted("ada"), claimed("bob")]);
    when(record(by("eve"))).then([claimedNow("eve"), labelled("eve")]);
    when(record(by("eve"), by("bob"))).then([claimedNow("eve"), labelled("eve"), labelled("bob")]);
    when(record(by("eve"), by("zoe"))).thenRejected("PLACES_TAKEN");
    when(record(by("eve"), by("ada"))).thenNotAllowed({ state: "voted", part: { name: "lease", key: "ada" } });
    given(review, [open])
      .when(record(by("eve"), by("eve")))
      .thenNotAllowed({ state: "voted", part: { name: "lease", key: "eve" } });
  });

  test("is for the same people and labels as any vote", () => {
    const history = [request({ options: ["cat", "dog"], excludedReviewers: ["eve"] }), skipped("bob")];
    const { when } = given(review, history);
    when(record(by("ada"), by("ida", "cow"))).thenRejected("LABEL_NOT_AN_OPTION");
    when(record(by("bob"))).thenNotAllowed({ state: "skipped", part: { name: "lease", key: "bob" } });
    when(record(by("eve"))).thenNotAllowed({ state: "excluded", part: { name: "lease", key: "eve" } });
    given(review, allVoted)
      .when(record(by("eve")))
      .thenNotAllowed({ state: "voted" });
  });

  test("keeps the number of reviewers that the state remembers", () => {
    const excludedReviewers = Array.from({ length: 500 }, (_, index) => `x${index}`);
    const others = excludedReviewers.slice(0, 499).map((name) => skipped(`s${name}`));
    const { when } = given(review, [request({ excludedReviewers }), ...others]);
    when(record(by("ada"), by("bob"))).thenRejected("TOO_MANY_REVIEWERS");
    when(record(by("ada"))).then([claimedNow("ada"), labelled("ada")]);
  });
});

describe("importing", () => {
  const source = { name: "birds.labels.tsv", sha256: "aa" };
  const vote = (sourceLine: number, reviewer: string) => ({ reviewer, label: "cat", sourceLine });
  const requested: Command = { type: "RequestReview", data: { k: 3, maxK: 5, source, sourceLine: 2 } };
  const imported = request({ source, sourceLine: 2 });
  const line = (sourceLine: number, reviewer: string, part?: number): Event[] => [
    claimed(reviewer, "2026-01-01T00:30:00.000Z"),
    {
      type: "HumanLabelSubmitted",
      data: { ...vote(sourceLine, reviewer), ...(part !== undefined && { sourcePart: part }) },
    },
  ];
  /** A row that the request is made of, and the vote behind it. */
  const first = { ...vote(2, "ada"), sourcePart: 2 };
  const votes: Command = {
    type: "RecordLabels",
    data: { source, labels: [first, vote(4, "bob"), vote(9, "eve")] },
  };
  const half = [imported, ...line(2, "ada", 2), ...line(4, "bob")];

  test("names the file once, and the line of each vote", () => {
    given(review).when(requested).then([imported]);
    const state = given(review, [imported])
      .when(votes)
      .then([...line(2, "ada", 2), ...line(4, "bob"), ...line(9, "eve")]);
    expect(state.context.imported).toEqual([{ ...source, line: 9, part: 1 }]);
    given(review, [open])
      .when({ type: "RecordLabels", data: { source, labels: [vote(2, "ada"), vote(4, "bob")] } })
      .then([
        claimed("ada", "2026-01-01T00:30:00.000Z"),
        { type: "HumanLabelSubmitted", data: { ...vote(2, "ada"), source } },
        ...line(4, "bob"),
      ]);
  });

  test("goes on where it ended, and again adds nothing", () => {
    given(review, half).when(requested).thenNothing();
    given(review, half).when(votes).then(line(9, "eve"));
    const whole = [...half, ...line(9, "eve")];
    for (const history of [whole, [...whole, consensus()], [...whole, consensus(), accepted("zoe")]]) {
      const { when } = given(review, history);
      when(requested).thenNothing();
      when(votes).thenNothing();
      when({ type: "SubmitLabel", data: { ...vote(9, "eve"), source } }).thenNothing();
    }
  });

  test("takes votes one by one just as well", () => {
    const after = given(review, [imported, claimed("ada")])
      .when({ type: "SubmitLabel", data: { ...first, source } })
      .then([{ type: "HumanLabelSubmitted", data: first }]);
    expect(after.context.imported).toEqual([{ ...source, line: 2, part: 2 }]);
  });

  test("of other content under the same name is refused", () => {
    const changed = { ...source, sha256: "bb" };
    const { when } = given(review, half);
    when({ ...requested, data: { source: changed, sourceLine: 2 } }).thenRejected("SOURCE_CHANGED");
    when({ type: "RecordLabels", data: { source: changed, labels: [vote(9, "eve")] } }).thenRejected("SOURCE_CHANGED");
  });
});

describe("asking for more votes", () => {
  const extend = (k: number): Command => ({ type: "ExtendReview", data: { k, reason: "a tie" } });

  test("raises k, at most to maxK, and opens the vote again", () => {
    const state = given(review, allVoted)
      .when(extend(5))
      .then([{ type: "ReviewExtended", data: { k: 5, reason: "a tie" } }]);
    expect(state.value).toBe("voting");
    given(review, [open])
      .when(extend(4))
      .then([extended(4)]);
    given(review, [open]).when(extend(6)).thenRejected("K_ABOVE_MAX");
    given(review, allVoted).when(extend(6)).thenRejected("K_ABOVE_MAX");
  });

  test("never lowers k", () => {
    given(review, [open]).when(extend(2)).thenRejected("K_LOWERED");
    given(review, [...allVoted, extended(3)])
      .when(extend(1))
      .thenRejected("K_LOWERED");
  });

  test("as many as are asked for already is success without an event", () => {
    given(review, [open]).when(extend(3)).thenNothing();
    given(review, allVoted).when(extend(1)).thenNothing();
    given(review, agreed).when(extend(1)).thenNotAllowed({ state: "consensus" });
  });
});

describe("closing", () => {
  const ballot = (...labels: string[]) =>
    given(review, [
      request({ k: labels.length, options: ["cat", "dog", "cow"] }),
      ...labels.flatMap((label, index) => voted(`r${index}`, label)),
    ]);
  const votes = (...labels: string[]) => labels.map((label, index) => ({ reviewer: `r${index}`, label }));

  test.each<[string[], string | undefined]>([
    [["cat"], "cat"],
    [["cat", "cat", "dog"], "cat"],
    [["dog", "cat", "cow", "dog"], "dog"],
    [["cat", "dog"], undefined],
    [["cat", "cat", "dog", "dog", "cow"], undefined],
    [["cat", "dog", "cow"], undefined],
  ])("by majority of %j gives %j", (labels, label) => {
    const found = { method: "majority", votes: votes(...labels) };
    ballot(...labels)
      .when(close())
      .then([
        label === undefined
          ? { type: "ReviewDisputed", data: found }
          : { type: "ReviewConsensusReached", data: { ...found, label } },
      ]);
  });

  test("by majority refuses another result than the votes have", () => {
    const majority = { method: "majority", parameters: { ties: "disputed" }, posterior: { cat: 0.67, dog: 0.33 } };
    ballot("cat", "cat", "dog")
      .when(close({ ...majority, label: "cat" }))
      .then([
        { type: "ReviewConsensusReached", data: { ...majority, label: "cat", votes: votes("cat", "cat", "dog") } },
      ]);
    ballot("cat", "cat", "dog")
      .when(close({ label: "dog" }))
      .thenRejected("RESULT_DIFFERS");
    ballot("cat", "dog")
      .when(close({ label: "dog" }))
      .thenRejected("RESULT_DIFFERS");
  });

  const oneCoin = {
    method: "one-coin",
    parameters: { prior: { cat: 0.5, dog: 0.25, cow: 0.25 }, accuracies: { r0: 0.7, r1: 0.6 }, defaultAccuracy: 0.95 },
  };
  const confusion = (cat: number, dog: number) => ({ cat: { cat, dog: 1 - cat }, dog: { cat: 1 - dog, dog } });
  const dawidSkene = {
    method: "dawid-skene",
    parameters: {
      prior: { cat: 0.5, dog: 0.5 },
      confusion: { r0: confusion(0.9, 0.2), r1: confusion(0.9, 0.2), r2: confusion(0.9, 0.8) },
    },
  };
  const shares = (cat: number, dog: number, cow: number) => {
    const sum = cat + dog + cow;
    return { cat: cat / sum, dog: dog / sum, cow: cow / sum };
  };

  test.each([
    [oneCoin, shares(0.5 * 0.7 * 0.6 * 0.025, 0.25 * 0.15 * 0.2 * 0.95, 0.25 * 0.15 * 0.2 * 0.025)],
    [dawidSkene, shares(0.5 * 0.9 * 0.9 * 0.1, 0.5 * 0.8 * 0.8 * 0.8, 0)],
  ])("by the parameters of %j is computed and not believed", (basis, posterior) => {
    const { state, when } = ballot("cat", "cat", "dog");
    const { outcome } = decide(state, close(basis));
    assert(outcome.outcome === "accepted");
    const closed = { ...basis, label: "dog", votes: votes("cat", "cat", "dog") };
    expect(outcome.events).toMatchObject([{ type: "ReviewConsensusReached", data: closed }]);
    const { posterior: found = {} } = outcome.events[0]?.data as Closing;
    for (const animal of ["cat", "dog", "cow"] as const) expect(found[animal]).toBeCloseTo(posterior[animal], 7);
    when(close({ ...basis, label: "dog", posterior: found })).then([
      { type: "ReviewConsensusReached", data: { ...closed, posterior: found } },
    ]);
    when(close({ ...basis, label: "cat" })).thenRejected("RESULT_DIFFERS");
    const other = { ...found, cat: (found.cat as number) + 1e-7 };
    when(close({ ...basis, posterior: other })).thenRejected("RESULT_DIFFERS");
    when(close({ ...basis, posterior: { dog: 1 } })).thenRejected("RESULT_DIFFERS");
    const { label, ...undecided } = { ...closed, posterior: found, reason: "undecided" };
    when(close({ ...basis, disputed: true, reason: "undecided" })).then([{ type: "ReviewDisputed", data: undecided }]);
  });

  test("by parameters under which two labels are as likely is disputed", () => {
    const parameters = { accuracies: {}, defaultAccuracy: 0.8 };
    const { when } = ballot("cat", "dog");
    const state = when(close({ method: "one-coin", parameters })).then([
      { type: "ReviewDisputed", data: { method: "one-coin", parameters, votes: votes("cat", "dog") } } as Event,
    ]);
    expect(state.value).toBe("disputed");
    when(close({ method: "one-coin", parameters, label: "cat" })).thenRejected("RESULT_DIFFERS");
  });

  test.each<[string, Closing["parameters"], string]>([
    ["one-coin", undefined, "PARAMETERS_MISSING"],
    ["dawid-skene", undefined, "PARAMETERS_MISSING"],
    ["one-coin", { accuracies: { r0: 0.9 } }, "PARAMETERS_MISSING"],
    ["dawid-skene", { confusion: { r0: {} } }, "PARAMETERS_MISSING"],
    ["one-coin", {}, "PARAMETERS_INVALID"],
    ["one-coin", { accuracies: { r0: 1.5, r1: 0.9 } }, "PARAMETERS_INVALID"],
    ["dawid-skene", { errorRates: {} }, "PARAMETERS_INVALID"],
    ["one-coin", { ...dawidSkene.parameters, method: "dawid-skene" }, "PARAMETERS_INVALID"],
    ["dawid-skene", { ...dawidSkene.parameters, method: "majority" }, "PARAMETERS_INVALID"],
  ])("by %s with the parameters %j is refused", (method, parameters, reason) => {
    ballot("cat", "dog")
      .when(close({ method, ...(parameters !== undefined && { parameters }) }))
      .thenRejected(reason);
  });

  test("may be disputed on purpose, whatever the votes would give", () => {
    const state = ballot("cat", "cat")
      .when(close({ disputed: true, reason: "low-agreement" }))
      .then([
        { type: "ReviewDisputed", data: { method: "majority", reason: "low-agreement", votes: votes("cat", "cat") } },
      ]);
    expect(state.value).toBe("disputed");
    given(review, [open, ...voted("ada")])
      .when(close({ disputed: true }))
      .thenNotAllowed({ state: "voting" });
  });

  test("by a method that is not known here records what that method found", () => {
    const basis = {
      method: "experts-first",
      parameters: { weights: { r2: 3 } },
      posterior: { cat: 0.2, dog: 0.7, cow: 0.1 },
    };
    ballot("cat", "cat", "dog")
      .when(close({ ...basis, label: "dog" }))
      .then([{ type: "ReviewConsensusReached", data: { ...basis, label: "dog", votes: votes("cat", "cat", "dog") } }]);
    const state = ballot("cat", "cat", "dog")
      .when(close(basis))
      .then([{ type: "ReviewDisputed", data: { ...basis, votes: votes("cat", "cat", "dog") } }]);
    expect(state.value).toBe("disputed");
    ballot("cat")
      .when(close({ method: "constructor", label: "cow" }))
      .then([{ type: "ReviewConsensusReached", data: { method: "constructor", label: "cow", votes: votes("cat") } }]);
  });

  test("names only labels that are options or were voted for", () => {
    ballot("cat")
      .when(close({ ...oneCoin, label: "emu" }))
      .thenRejected("UNKNOWN_LABEL");
    ballot("cat")
      .when(close({ posterior: { emu: 0.5 } }))
      .thenRejected("UNKNOWN_LABEL");
    const freeText = given(review, [request({ k: 2 }), ...voted("ada", "a cat"), ...voted("bob", "a dog")]);
    freeText.when(close({ method: "experts-first", label: "a cow" })).thenRejected("UNKNOWN_LABEL");
    freeText.when(close({ method: "experts-first", label: "a dog" })).then([consensusBy("experts-first", "a dog")]);
    const parameters = { accuracies: { bob: 0.9 }, defaultAccuracy: 0.6 };
    freeText.when(close({ method: "one-coin", parameters })).then([consensusBy("one-coin", "a dog")]);
  });

  test.each<[NonNullable<Closing["votes"]>, boolean]>([
    [3, true],
    [2, false],
    [{ cat: 2, dog: 1 }, true],
    [{ cat: 2, dog: 1, cow: 0 }, true],
    [{ cat: 2 }, false],
    [{ cat: 2, constructor: 1 }, false],
    [{ cat: 1, dog: 2 }, false],
    [votes("cat", "cat", "dog"), true],
    [votes("cat", "cat", "dog").reverse(), true],
    [votes("cat", "dog", "cat"), false],
    [votes("cat", "cat"), false],
    [votes("cat", "cat", "dog", "dog"), false],
    [[...votes("cat", "cat"), ...votes("cat")], false],
    [[], false],
  ])("counting %j: right is %j", (counted, isRight) => {
    const then = ballot("cat", "cat", "dog").when(close({ votes: counted }));
    if (isRight) then.then([consensusBy("majority", "cat")]);
    else then.thenRejected("VOTES_DIFFER");
  });

  test("waits for all votes, and happens once", () => {
    given(review, [open, ...voted("ada")])
      .when(close({ label: "emu" }))
      .thenNotAllowed({ state: "voting" });
    given(review, [open, ...voted("ada")])
      .when(close())
      .thenNotAllowed({ state: "voting" });
    given(review, agreed).when(close()).thenNotAllowed({ state: "consensus" });
  });
});

describe("a dispute", () => {
  const adjudicate = (reviewer: string, label = "dog"): Command => ({
    type: "AdjudicateReview",
    data: { reviewer, label, comment: "look at the ears" },
  });

  test("is settled by somebody who did not vote", () => {
    const state = given(review, inDispute)
      .when(adjudicate("bob"))
      .then([{ type: "ReviewAdjudicated", data: { reviewer: "bob", label: "dog", comment: "look at the ears" } }]);
    expect(state.context.result).toEqual({ label: "dog" });
    given(review, inDispute)
      .when(adjudicate("ada"))
      .thenNotAllowed({ state: "voted", part: { name: "lease", key: "ada" } });
    const excluding = [request({ k: 1, excludedReviewers: ["eve"] }), ...voted("ada"), disputed];
    given(review, excluding)
      .when(adjudicate("eve"))
      .thenNotAllowed({ state: "excluded", part: { name: "lease", key: "eve" } });
  });

  test("may be settled by those who only skipped it or were asked", () => {
    const history = [request({ k: 1 }), skipped("bob"), assigned("eve"), ...voted("ada"), disputed];
    for (const reviewer of ["bob", "eve"])
      given(review, history)
        .when(adjudicate(reviewer))
        .then([adjudicated(reviewer)]);
  });

  test("is settled with one of the options", () => {
    given(review, [request({ k: 1, options: ["cat", "dog"] }), ...voted("ada"), disputed])
      .when(adjudicate("bob", "cow"))
      .thenRejected("LABEL_NOT_AN_OPTION");
  });
});

describe("the second line", () => {
  const accept = (reviewer: string): Command => ({ type: "AcceptLabel", data: { reviewer } });
  const fix = (reviewer: string, label = "dog"): Command => ({ type: "FixLabel", data: { reviewer, label } });
  const giveBack = (reviewer: string): Command => ({ type: "ReturnLabel", data: { reviewer, reason: "too few ears" } });
  const settled = [...inDispute, adjudicated("eve", "dog")];

  test("says what was accepted, fixed or returned", () => {
    given(review, agreed)
      .when(accept("bob"))
      .then([accepted("bob")]);
    given(review, settled)
      .when(accept("bob"))
      .then([{ type: "ReviewAccepted", data: { reviewer: "bob", label: "dog" } }]);
    const fixed = given(review, agreed)
      .when(fix("bob"))
      .then([{ type: "ReviewFixed", data: { reviewer: "bob", label: "dog", original: "cat" } }]);
    expect(fixed.context.result).toEqual({ label: "dog" });
    const back = given(review, agreed)
      .when(giveBack("bob"))
      .then([{ type: "ReviewReturned", data: { reviewer: "bob", label: "cat", reason: "too few ears" } }]);
    expect(back.context.result).toEqual({});
    expect(back.context.votes).toEqual([{ reviewer: "ada", label: "cat" }]);
  });

  test.each([accept("ada"), fix("ada"), giveBack("ada")])("is nobody who voted: %j", (command) => {
    given(review, agreed)
      .when(command)
      .thenNotAllowed({ state: "voted", part: { name: "lease", key: "ada" } });
  });

  test.each([accept("eve"), fix("eve", "cow"), giveBack("eve")])("is not who settled the dispute: %j", (command) => {
    given(review, settled)
      .when(command)
      .thenNotAllowed({ state: "adjudicated", part: { name: "lease", key: "eve" } });
  });

  test("may be those who only skipped it or were asked", () => {
    const history = [request({ k: 1 }), skipped("bob"), assigned("eve"), ...voted("ada"), consensus()];
    for (const reviewer of ["bob", "eve"]) {
      const { when } = given(review, history);
      when(accept(reviewer)).then([accepted(reviewer)]);
      when(fix(reviewer)).then([{ type: "ReviewFixed", data: { reviewer, label: "dog", original: "cat" } }]);
      when(giveBack(reviewer)).then([returned(reviewer)]);
    }
  });

  test("fixes with one of the options, and with another label than there is", () => {
    const history = [request({ k: 1, options: ["cat", "dog"] }), ...voted("ada"), consensus()];
    given(review, history).when(fix("bob", "cow")).thenRejected("LABEL_NOT_AN_OPTION");
    given(review, history).when(fix("bob", "cat")).thenRejected("SAME_LABEL");
  });

  test("returns into dispute, where no vote follows, until it is settled and accepted", () => {
    const back = [...settled, returned("bob")];
    expect(given(review, back).state.value).toBe("disputed");
    given(review, back).when(claim("zoe")).thenNotAllowed({ state: "disputed" });
    given(review, back)
      .when({ type: "ExtendReview", data: { k: 2 } })
      .thenNotAllowed({ state: "disputed" });
    const again = given(review, back)
      .when({ type: "AdjudicateReview", data: { reviewer: "eve", label: "cow" } })
      .then([adjudicated("eve", "cow")]);
    expect(again.value).toBe("adjudicated");
    given(review, [...back, adjudicated("eve", "cow")])
      .when(accept("bob"))
      .then([{ type: "ReviewAccepted", data: { reviewer: "bob", label: "cow" } }]);
  });
});

describe("escalating", () => {
  const escalate = (level: number, data: object = {}): Command => ({
    type: "EscalateReview",
    data: { level, ...data },
  });

  test("only rises", () => {
    given(review, [open, escalated(2)])
      .when(escalate(3))
      .then([escalated(3)]);
    given(review, [open, escalated(2)])
      .when(escalate(2))
      .thenRejected("LEVEL_NOT_RAISED");
    given(review, [open, escalated(2)])
      .when(escalate(1))
      .thenRejected("LEVEL_NOT_RAISED");
  });

  test("may set a new due time and priority, and keeps the lease of whoever is at work", () => {
    const data = { level: 1, reason: "overdue", priority: 9, dueAt: later };
    const state = given(review, [request({ dueAt: now }), claimed("ada")])
      .when(escalate(1, data))
      .then([{ type: "ReviewEscalated", data }]);
    expect(state.context).toMatchObject({ level: 1, dueAt: later, leases: { ada: "leased" } });
    expect(given(review, [request({ dueAt: now }), escalated(1)]).state.context.dueAt).toBe(now);
  });
});

describe("ending without a label", () => {
  const expire: Command = { type: "CancelReview", data: { expired: true, reason: "nobody came" } };

  test("is a cancellation, unless it says that nobody decided in time", () => {
    const cancel: Command = { type: "CancelReview", data: { reason: "superseded" } };
    const overdue = [request({ dueAt: now })];
    const state = given(review, overdue)
      .when(cancel)
      .then([{ type: "ReviewCancelled", data: { reason: "superseded" } }]);
    expect(state.value).toBe("cancelled");
    const after = given(review, overdue)
      .when(expire)
      .then([{ type: "ReviewCancelled", data: { expired: true, reason: "nobody came" } }]);
    expect(after.value).toBe("expired");
  });

  test("expires only after the due time", () => {
    given(review, [request({ dueAt: later })])
      .when(expire)
      .thenRejected("NOT_DUE");
    given(review, [request({ dueAt: now }), escalated(1, later)])
      .when(expire)
      .thenRejected("NOT_DUE");
    given(review, [open]).when(expire).thenRejected("NOT_DUE");
  });
});

describe("a review that a thousand reviewers have to do with", () => {
  const excludedReviewers = Array.from({ length: 500 }, (_, index) => `x${index}`);
  const history = [request({ k: 1, excludedReviewers }), ...excludedReviewers.map((name) => skipped(`s${name}`))];

  test("takes no more of them", () => {
    const { when } = given(review, history);
    when(claim("ada")).thenRejected("TOO_MANY_REVIEWERS");
    when({ type: "AssignReview", data: { reviewer: "ada" } }).thenRejected("TOO_MANY_REVIEWERS");
    when({ type: "SkipReview", data: { reviewer: "ada" } }).thenRejected("TOO_MANY_REVIEWERS");
    const full = [...history.slice(0, -1), ...voted("ada"), disputed];
    given(review, full)
      .when({ type: "AdjudicateReview", data: { reviewer: "bob", label: "cat" } })
      .thenRejected("TOO_MANY_REVIEWERS");
  });

  test("goes on with those it knows", () => {
    const known = [...history.slice(0, -1), assigned("ada")];
    given(review, known)
      .when(claim("ada"))
      .then([claimed("ada", "2026-01-01T00:30:00.000Z")]);
  });
});

describe("fields", () => {
  const long = "a".repeat(4097);

  test.each<[string, string, unknown, string]>([
    ["an unknown field", "RequestReview", { votes: 3 }, "votes"],
    ["no vote at all", "RequestReview", { k: 0 }, "k"],
    ["too many votes", "RequestReview", { k: 101, options: ["a"] }, "k"],
    ["too many votes in free text", "RequestReview", { k: 21 }, "k"],
    ["too many votes in free text", "RequestReview", { maxK: 21 }, "maxK"],
    ["fewer votes at most than at least", "RequestReview", { k: 3, maxK: 2 }, "maxK"],
    ["a gold label that is no option", "RequestReview", { options: ["a"], gold: "b" }, "gold"],
    ["a subject without its id", "RequestReview", { subject: { category: "model" } }, "subject.id"],
    ["a due time without its offset", "RequestReview", { dueAt: "2026-01-01T00:00:00" }, "dueAt"],
    ["a label of what is disputed on purpose", "CloseReview", { disputed: true, label: "cat" }, "label"],
    ["an empty option", "RequestReview", { options: [""] }, "options.0"],
    [
      "an excluded reviewer no object can hold",
      "RequestReview",
      { excludedReviewers: ["__proto__"] },
      "excludedReviewers.0",
    ],
    ["a reviewer no object can hold", "ClaimReview", { reviewer: "__proto__" }, "reviewer"],
    ["a claim by nobody", "ClaimReview", {}, "reviewer"],
    ["a lease with two ends", "ClaimReview", { reviewer: "ada", leaseUntil: later, leaseMs: 1 }, "leaseUntil"],
    ["a lease of no time", "ClaimReview", { reviewer: "ada", leaseMs: 0 }, "leaseMs"],
    ["a lease without end", "ClaimReview", { reviewer: "ada", leaseMs: 8 * 24 * 3_600_000 }, "leaseMs"],
    ["a vote for nothing", "SubmitLabel", { reviewer: "ada" }, "label"],
    ["an empty label", "SubmitLabel", { reviewer: "ada", label: "" }, "label"],
    ["a label that is too long", "SubmitLabel", { reviewer: "ada", label: long }, "label"],
    ["control characters in a label", "SubmitLabel", { reviewer: "ada", label: "a\u0000" }, "label"],
    ["a label that no object can hold", "SubmitLabel", { reviewer: "ada", label: "__proto__" }, "label"],
    ["an option that no object can hold", "RequestReview", { options: ["a", "__proto__"] }, "options.1"],
    ["half a character in a label", "SubmitLabel", { reviewer: "ada", label: "\ud83d" }, "label"],
    ["votes of nobody", "RecordLabels", { labels: [] }, "labels"],
    [
      "too many votes at once",
      "RecordLabels",
      { labels: Array.from({ length: 101 }, (_, i) => ({ reviewer: `r${i}`, label: "a" })) },
      "labels",
    ],
    [
      "an unknown field of a vote",
      "RecordLabels",
      { labels: [{ reviewer: "ada", label: "a", subject: "x" }] },
      "labels.0.subject",
    ],
    [
      "a vote of another file than the others",
      "RecordLabels",
      { labels: [{ reviewer: "ada", label: "a", source: { sha256: "a" } }] },
      "labels.0.source",
    ],
    ["negative effort", "SubmitLabel", { reviewer: "ada", label: "a", effortMs: -1 }, "effortMs"],
    ["a probability above 1", "CloseReview", { posterior: { a: 2 } }, "posterior.a"],
    ["a level below the first", "EscalateReview", { level: 0 }, "level"],
    ["a second line of nobody", "AcceptLabel", {}, "reviewer"],
  ])("%s is invalid", (_what, type, data, path) => {
    given(review, [open]).whenRaw(type, data).thenInvalid(path);
  });

  test("a subject keeps fields that the schema does not name", () => {
    const subject = { category: "model", id: "m1", stage: "staging" };
    given(review)
      .whenRaw("RequestReview", { subject, k: 100, options: ["a", "b"], gold: "b" })
      .then([{ type: "HumanReviewRequested", data: { subject, k: 100, maxK: 100 } }]);
  });

  test("a label may be written in any script", () => {
    const label = "Katze 🐈‍⬛\n猫\tकैट";
    given(review, [open, claimed("ada")])
      .when(submit("ada", label))
      .then([labelled("ada", label)]);
  });
});

describe("in any order", () => {
  const reviewers = Array.from({ length: 100 }, (_, index) => `r${index}`);

  test("of a hundred reviewers who claim and submit, exactly three vote and all others are told why not", () => {
    const turns = fc.shuffledSubarray([...reviewers, ...reviewers], { minLength: 200 });
    fc.assert(
      fc.property(turns, (sequence) => {
        let state = given(review, [open]).state;
        const hasClaimed = new Set<string>();
        const refused = new Map<string, number>();
        for (const reviewer of sequence) {
          const command = hasClaimed.has(reviewer) ? submit(reviewer) : claim(reviewer);
          hasClaimed.add(reviewer);
          const { outcome, after } = decide(state, command);
          assertLaws(after, now);
          if (codeOf(outcome) !== undefined) refused.set(reviewer, (refused.get(reviewer) ?? 0) + 1);
          state = after;
        }
        assert.equal(state.value, "voted");
        assert.equal(state.context.votes.length, 3);
        assert.equal(refused.size, 97);
        assert([...refused.values()].every((times) => times === 2));
      }),
      { seed: 20_260_101, numRuns: 50 },
    );
  });

  const whats = [
    "claim",
    "claim",
    "submit",
    "submit",
    "record",
    "skip",
    "release",
    "expire",
    "assign",
    "extend",
    "escalate",
  ] as const;

  interface Turn {
    readonly what: (typeof whats)[number];
    readonly who: number;
    readonly isHolder: boolean;
    readonly afterMs: number;
  }

  const turn: fc.Arbitrary<Turn> = fc.record({
    what: fc.constantFrom(...whats),
    who: fc.nat({ max: 99 }),
    isHolder: fc.boolean(),
    afterMs: fc.constantFrom(0, 0, 1, 30, 60, 100),
  });

  test("the laws hold after every step, and whoever comes later can finish", () => {
    const excludedReviewers = reviewers.slice(0, 10);
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 120, size: "max" }), (turns) => {
        let state = given(review, [request({ excludedReviewers })]).state;
        let at = Date.parse(now);
        for (const each of turns) {
          at += each.afterMs;
          state = live(state, commandOf(each, state), at);
        }
        for (const reviewer of reviewers.map((name) => `late-${name}`)) {
          at += 60;
          state = live(state, claim(reviewer, 60), at);
          state = live(state, submit(reviewer), at + 59);
        }
        assert.equal(state.value, "voted");
        assert.equal(state.context.votes.length, state.context.k);
        assert(!state.context.votes.some(({ reviewer }: { reviewer: string }) => excludedReviewers.includes(reviewer)));
      }),
      { seed: 20_260_101, numRuns: 200 },
    );
  });

  /** By anybody, or by somebody who holds a lease now: random names alone would hardly ever meet one. */
  function commandOf({ what, who, isHolder }: Turn, { context }: ChartState): Command {
    const holders = Object.keys(context.leaseUntil);
    const reviewer =
      isHolder && holders.length > 0 ? (holders[who % holders.length] as string) : (reviewers[who] as string);
    switch (what) {
      case "claim":
        return claim(reviewer, 60);
      case "submit":
        return submit(reviewer);
      case "record":
        return record({ reviewer, label: "cat" }, { reviewer: reviewers[(who + 1) % 100] as string, label: "dog" });
      case "skip":
        return { type: "SkipReview", data: { reviewer } };
      case "release":
        return { type: "ReleaseReview", data: { reviewer } };
      case "expire":
        return { type: "ExpireClaim", data: { reviewer } };
      case "assign":
        return { type: "AssignReview", data: { reviewer } };
      case "extend":
        return { type: "ExtendReview", data: { k: 1 + (who % 7) } };
      case "escalate":
        return { type: "EscalateReview", data: { level: 1 + (who % 4) } };
    }
  }

  /** Decides one command at a time and checks the laws, those of the vote itself too. */
  function live(state: ChartState, command: Command, at: number): ChartState {
    const time = new Date(at).toISOString();
    const { outcome, after } = decide(state, command, time);
    codeOf(outcome);
    assertLaws(after, time);
    const leaseUntil: Record<string, string> = { ...state.context.leaseUntil };
    for (const event of outcome.outcome === "accepted" ? outcome.events : []) {
      const { reviewer, leaseUntil: until } = event.data as { readonly reviewer: string; readonly leaseUntil: string };
      if (event.type === "ReviewClaimed") leaseUntil[reviewer] = until;
      if (event.type === "HumanLabelSubmitted") assert((leaseUntil[reviewer] ?? "") > time, "no live lease");
    }
    return after;
  }

  function assertLaws({ context, value }: ChartState, time: string): void {
    const { k, maxK, votes, leases, leaseUntil } = context;
    const ends = Object.values(leaseUntil) as string[];
    assert(ends.filter((end) => end > time).length <= k - votes.length, "too many live leases");
    assert(ends.length <= k - votes.length, "too many leases on record");
    assert(votes.length <= k && k <= maxK, "more votes than k, or k above maxK");
    assert.equal(new Set(votes.map(({ reviewer }: { reviewer: string }) => reviewer)).size, votes.length);
    assert.equal(value === "voted", votes.length === k);
    const leased = Object.keys(leases).filter((reviewer) => leases[reviewer] === "leased");
    assert.deepEqual(leased.sort(), Object.keys(leaseUntil).sort());
  }
});

interface Lived {
  readonly outcome: Decided;
  /** As before where it was refused. */
  readonly after: ChartState;
}

function decide(state: ChartState, command: Command, at = now): Lived {
  const data: unknown = review.schemas.commands[command.type]?.parse(command.data);
  const metadata = { correlationId: "c", causationId: "c", commandId: "c" };
  const outcome = decideCommand(review, {
    state,
    version: 1,
    command: { type: command.type, data, occurredAt: at, metadata },
    context: { id: "x1", now: at },
    newId: () => "e",
  });
  return { outcome, after: outcome.outcome === "accepted" ? outcome.state : state };
}

/** The code of a refusal; undefined when there is none. Whatever is refused has one. */
function codeOf(outcome: Decided): string | undefined {
  if (outcome.outcome === "accepted") return undefined;
  const code = outcome.outcome === "rejected" ? outcome.reason : "NOT_ALLOWED_IN_STATE";
  assert.match(code, /^[A-Z][A-Z_]+$/);
  return code;
}
