/** Rows of files in a stream: each comes in once, however often and in whatever pieces its file is imported. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { ChartEvent, EventOf } from "retrace";
import { given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import feedback from "../../actors/aggregates/feedback.ts";
import { decideCommand } from "../../src/core/aggregate.ts";
import { initialState } from "../../src/core/chart.ts";

type Event = EventOf<typeof feedback.schemas>;

const votes = { name: "votes.tsv", sha256: "aa" };
const gold = { name: "gold.tsv", sha256: "bb" };
type Source = typeof votes;

/** A correction as an import sends it, and as an event. */
const correct = (mark: object) => ({ type: "SubmitCorrection", data: { corrected: "the", ...mark } }) as const;
const corrected = (mark: object): Event => ({ type: "CorrectionSubmitted", data: { corrected: "the", ...mark } });

const fromVotes = [corrected({ source: votes, sourceLine: 3 }), corrected({ sourceLine: 7, sourcePart: 2 })];

describe("a line that is here", () => {
  test.each([
    ["the last", { sourceLine: 7, sourcePart: 2 }],
    ["an earlier part of it", { sourceLine: 7 }],
    ["an earlier one", { sourceLine: 3 }],
    ["one that was left out", { sourceLine: 5 }],
  ])("%s, is success without an event", (_, line) => {
    given(feedback, fromVotes)
      .when(correct({ source: votes, ...line }))
      .thenNothing();
  });

  test("is so even where the state no longer takes it", () => {
    const { when } = given(feedback, [...fromVotes, { type: "FeedbackClosed", data: {} }]);
    when(correct({ source: votes, sourceLine: 3 })).thenNothing();
    when(correct({ source: votes, sourceLine: 8 })).thenNotAllowed({ state: "closed" });
  });

  test("is that of the last file where the command names none", () => {
    const { when } = given(feedback, [...fromVotes, corrected({ source: gold, sourceLine: 2 })]);
    when(correct({ sourceLine: 2 })).thenNothing();
    when(correct({ sourceLine: 3 })).then([corrected({ sourceLine: 3 })]);
  });
});

describe("a line that is news", () => {
  test("names its file the first time, and its line always", () => {
    const first = given(feedback).when(correct({ source: votes, sourceLine: 3 }));
    const state = first.then([corrected({ source: votes, sourceLine: 3 })]);
    expect(state.context.imported).toEqual([{ ...votes, line: 3, part: 1 }]);
    const { state: after, when } = given(feedback, fromVotes);
    expect(after.context.imported).toEqual([{ ...votes, line: 7, part: 2 }]);
    for (const line of [{ sourceLine: 7, sourcePart: 3 }, { sourceLine: 8 }]) {
      const next = when(correct({ source: votes, ...line }));
      next.then([corrected({ ...line })]);
      expect(next.then([corrected(line)]).context.imported).toEqual([
        { ...votes, line: line.sourceLine, part: line.sourcePart ?? 1 },
      ]);
    }
  });

  test("names its file again behind another", () => {
    const { when } = given(feedback, [...fromVotes, corrected({ source: gold, sourceLine: 2 })]);
    when(correct({ source: gold, sourceLine: 3 })).then([corrected({ sourceLine: 3 })]);
    const state = when(correct({ source: votes, sourceLine: 9 })).then([corrected({ source: votes, sourceLine: 9 })]);
    expect(state.context.imported).toEqual([
      { ...gold, line: 2, part: 1 },
      { ...votes, line: 9, part: 1 },
    ]);
  });

  test("of a stream that was never imported into needs no file", () => {
    given(feedback, [corrected({ sourceLine: 3 })])
      .when(correct({ sourceLine: 3 }))
      .then([corrected({ sourceLine: 3 })]);
  });
});

test("signals without a line come in as often as they are given", () => {
  const { when, state } = given(feedback, [corrected({})]);
  when(correct({})).then([corrected({})]);
  expect(state.context).not.toHaveProperty("imported");
});

test("other content under the same name is refused", () => {
  const { when } = given(feedback, fromVotes);
  when(correct({ source: { ...votes, sha256: "cc" }, sourceLine: 9 })).thenRejected("SOURCE_CHANGED");
  when(correct({ source: { sha256: "cc" }, sourceLine: 9 })).then([
    corrected({ source: { sha256: "cc" }, sourceLine: 9 }),
  ]);
});

test("a stream takes rows of 64 files, because one that it forgot would come in twice", () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) => corrected({ source: { sha256: `s${i}` }, sourceLine: 1 }));
  const next = correct({ source: votes, sourceLine: 1 });
  given(feedback, many(63))
    .when(next)
    .then([corrected({ source: votes })]);
  given(feedback, many(64)).when(next).thenRejected("TOO_MANY_SOURCES");
  given(feedback, many(64))
    .when(correct({ source: { sha256: "s0" }, sourceLine: 1 }))
    .thenNothing();
});

test("imports that are cut anywhere, begun again and mixed bring each row once, in the order of its file", () => {
  const rows = (source: Source) =>
    [1, 1, 2, 4, 4, 4, 9].map((sourceLine, i, all) => {
      const sourcePart = i - all.indexOf(sourceLine) + 1;
      return { source, sourceLine, ...(sourcePart > 1 && { sourcePart }) };
    });
  /** Each step brings so many rows of one of the files, from its beginning. */
  const steps = fc.array(fc.record({ source: fc.constantFrom(votes, gold), count: fc.nat({ max: 7 }) }));
  fc.assert(
    fc.property(steps, (some) => {
      const all = [...some, { source: votes, count: 7 }, { source: gold, count: 7 }];
      const marks = all.flatMap(({ source, count }) => rows(source).slice(0, count));
      const events = decideAll(marks);
      assert.deepEqual(byFile(events), { aa: rows(votes).map(lineOf), bb: rows(gold).map(lineOf) });
    }),
    { seed: 20_260_102, numRuns: 300 },
  );
});

interface Mark {
  readonly source?: Source;
  readonly sourceLine: number;
  readonly sourcePart?: number;
}

function lineOf({ sourceLine, sourcePart = 1 }: Mark): string {
  return `${sourceLine}.${sourcePart}`;
}

function decideAll(marks: readonly Mark[]): ChartEvent[] {
  let state = initialState(feedback.machine);
  const events: ChartEvent[] = [];
  const metadata = { correlationId: "c", causationId: "c", commandId: "c" };
  const now = "2026-01-01T00:00:00.000Z";
  for (const mark of marks) {
    const command = { ...correct(mark), occurredAt: now, metadata };
    const outcome = decideCommand(feedback, {
      state,
      version: events.length,
      command,
      context: { id: "x", now },
      newId: () => `e${events.length}`,
    });
    assert(outcome.outcome === "accepted", JSON.stringify(outcome));
    state = outcome.state;
    events.push(...outcome.events);
  }
  return events;
}

/** Which rows of each file are there: an event without a file is of the one before. */
function byFile(events: readonly ChartEvent[]): Record<string, string[]> {
  const files: Record<string, string[]> = {};
  let sha256 = "";
  for (const event of events) {
    const mark = event.data as Mark;
    sha256 = mark.source?.sha256 ?? sha256;
    files[sha256] = [...(files[sha256] ?? []), lineOf(mark)];
  }
  return files;
}
