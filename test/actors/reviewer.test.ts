/** The reviewer: registering, changing, retiring and coming back. */
import type { CommandInput, EventOf } from "retrace";
import { type CommandOf, given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import reviewer from "../../actors/aggregates/reviewer.ts";
import { acceptedIn } from "./accepted-in.ts";

type Event = EventOf<typeof reviewer.schemas>;
type Command = CommandOf<typeof reviewer.schemas>;

const registered: Event = { type: "ReviewerRegistered", data: { skills: ["french", "law"], capacity: 3 } };
const retired: Event = { type: "ReviewerRetired", data: {} };

const register = (data: CommandInput<typeof reviewer.schemas, "RegisterReviewer"> = {}): Command => {
  return { type: "RegisterReviewer", data };
};
const change = (data: CommandInput<typeof reviewer.schemas, "ChangeReviewer"> = {}): Command => {
  return { type: "ChangeReviewer", data };
};

describe("the chart", () => {
  const commands: Command[] = [
    register({ skills: ["chess"] }),
    change({ skills: ["chess"] }),
    { type: "RetireReviewer", data: {} },
  ];

  test.each<[string, Event[], string[]]>([
    ["empty", [], ["RegisterReviewer"]],
    ["registered", [registered], ["ChangeReviewer", "RetireReviewer"]],
    ["registered", [registered, retired, registered], ["ChangeReviewer", "RetireReviewer"]],
    ["retired", [registered, retired], ["RegisterReviewer", "RetireReviewer"]],
  ])("%s accepts what its arrows say", (value, history, accepted) => {
    expect(given(reviewer, history).state.value).toBe(value);
    expect(acceptedIn(reviewer, history, commands)).toEqual(accepted);
  });
});

describe("registering", () => {
  test("needs neither skills nor a capacity", () => {
    const state = given(reviewer)
      .when(register())
      .then([{ type: "ReviewerRegistered", data: { skills: [] } }]);
    expect(state.context).toEqual({ profile: { skills: [] } });
  });

  test("names each skill once, in alphabetical order", () => {
    given(reviewer)
      .when(register({ skills: ["law", "french", "law"], capacity: 3 }))
      .then([registered]);
  });

  test("again with the same profile is success without an event", () => {
    given(reviewer, [registered])
      .when(register({ skills: ["law", "french"], capacity: 3 }))
      .thenNothing();
    given(reviewer, [registered])
      .when(register({ skills: ["law", "french"] }))
      .thenNotAllowed({ state: "registered" });
  });

  test("after retiring starts anew", () => {
    const state = given(reviewer, [registered, retired])
      .when(register({ skills: ["chess"] }))
      .then([{ type: "ReviewerRegistered", data: { skills: ["chess"] } }]);
    expect(state.context).toEqual({ profile: { skills: ["chess"] } });
    given(reviewer, [registered, retired])
      .when(register({ skills: ["french", "law"], capacity: 3 }))
      .then([registered]);
  });
});

describe("changing", () => {
  test("keeps what it leaves out, and says all of the profile", () => {
    const { when } = given(reviewer, [registered]);
    when(change({ capacity: 0 })).then([{ type: "ReviewerChanged", data: { skills: ["french", "law"], capacity: 0 } }]);
    when(change({ skills: [] })).then([{ type: "ReviewerChanged", data: { skills: [], capacity: 3 } }]);
  });

  test("can lift the limit", () => {
    const state = given(reviewer, [registered])
      .when(change({ capacity: null }))
      .then([{ type: "ReviewerChanged", data: { skills: ["french", "law"] } }]);
    expect(state.context).toEqual({ profile: { skills: ["french", "law"] } });
    given(reviewer)
      .when(change({ capacity: null }))
      .thenNotAllowed({ state: "empty" });
  });

  test("to what holds already is success without an event", () => {
    const { when } = given(reviewer, [registered]);
    when(change()).thenNothing();
    when(change({ skills: ["law", "french", "law"] })).thenNothing();
    when(change({ capacity: 3 })).thenNothing();
    given(reviewer, [registered, retired])
      .when(change({ capacity: 3 }))
      .thenNotAllowed({ state: "retired" });
  });
});

describe("retiring", () => {
  const retire: Command = { type: "RetireReviewer", data: { reason: "moved on" } };

  test("says why, once", () => {
    given(reviewer, [registered])
      .when(retire)
      .then([{ type: "ReviewerRetired", data: { reason: "moved on" } }]);
    given(reviewer, [registered, retired]).when(retire).thenNothing();
    given(reviewer).when(retire).thenNotAllowed({ state: "empty" });
  });
});

describe("fields", () => {
  test.each<[string, string, unknown, string]>([
    ["an unknown field", "RegisterReviewer", { skill: "law" }, "skill"],
    ["a skill without a name", "RegisterReviewer", { skills: [""] }, "skills.0"],
    ["too many skills", "RegisterReviewer", { skills: Array.from({ length: 65 }, (_, i) => `s${i}`) }, "skills"],
    ["no limit to begin with", "RegisterReviewer", { capacity: null }, "capacity"],
    ["half a review", "ChangeReviewer", { capacity: 1.5 }, "capacity"],
    ["less than nothing", "ChangeReviewer", { capacity: -1 }, "capacity"],
  ])("%s is invalid", (_what, type, data, path) => {
    given(reviewer, [registered]).whenRaw(type, data).thenInvalid(path);
  });
});
