/** The policy: its settings, and the version that a saga names. */
import type { EventOf } from "retrace";
import { given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import policy from "../../actors/aggregates/policy.ts";

type Event = EventOf<typeof policy.schemas>;

const settings = { threshold: 0.5, rule: { any: [{ below: 0.5 }, { sample: 0.01 }] }, windows: ["5m", "1h"] };
const set = (settings: Record<string, unknown>): Event => ({ type: "PolicySet", data: { settings } });
const setPolicy = (settings: Record<string, unknown>) => ({ type: "SetPolicy", data: { settings } }) as const;

describe("setting", () => {
  test("records the settings and why", () => {
    const data = { settings, reason: "too many reviews" };
    const state = given(policy)
      .when({ type: "SetPolicy", data })
      .then([{ type: "PolicySet", data }]);
    expect(state.value).toBe("set");
  });

  test("keeps all of the last settings, none of those before, and the version of the stream", () => {
    expect(given(policy).state.context).toEqual({ settings: {}, version: 0 });
    const { state } = given(policy, [set(settings), set({ k: 3 })]);
    expect(state.context).toEqual({ settings: { k: 3 }, version: 2 });
  });

  test("the same again is success without an event, in whatever order the names stand", () => {
    const { when } = given(policy, [set(settings)]);
    when(setPolicy(settings)).thenNothing();
    when(setPolicy({ windows: ["5m", "1h"], rule: settings.rule, threshold: 0.5 })).thenNothing();
    when(setPolicy({ ...settings, windows: ["1h", "5m"] })).then([set({ ...settings, windows: ["1h", "5m"] })]);
    when(setPolicy({ threshold: 0.5 })).then([set({ threshold: 0.5 })]);
  });

  test("to nothing is an event the first time, and when something was set", () => {
    given(policy)
      .when(setPolicy({}))
      .then([set({})]);
    given(policy, [set({})])
      .when(setPolicy({}))
      .thenNothing();
    given(policy, [set({ k: 3 })])
      .when(setPolicy({}))
      .then([set({})]);
  });
});

describe("fields", () => {
  test.each<[string, unknown, string]>([
    ["no settings", { reason: "why not" }, "settings"],
    ["settings that are a list", { settings: [1] }, "settings"],
    ["a setting that is no number", { settings: { threshold: Number.NaN } }, "settings.threshold"],
    ["a setting that is no JSON", { settings: { threshold: 1n } }, "settings.threshold"],
    ["an unknown field", { settings: {}, version: 2 }, "version"],
    ["settings that are too large", { settings: { prompt: "a".repeat(64 * 1024) } }, "settings"],
  ])("%s is invalid", (_what, data, path) => {
    given(policy).whenRaw("SetPolicy", data).thenInvalid(path);
  });

  test("settings may be large", () => {
    given(policy)
      .when(setPolicy({ prompt: "a".repeat(64 * 1024 - 13) }))
      .then([set({})]);
  });
});
