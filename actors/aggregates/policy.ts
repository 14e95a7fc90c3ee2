/**
 * A policy: the settings of one saga or rule (thresholds, votes wanted, gates, windows), and how they came to be. Its
 * version is what a saga names as the one it acted on.
 */
import { isDeepStrictEqual } from "node:util";
import { type ChartEventOf, defineAggregate, type EventData } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { policy } from "../../schemas/policy.ts";

interface Policy {
  readonly settings: EventData<typeof policy, "PolicySet">["settings"];
  /** Of the stream, when these settings were set; 0 when none ever were. */
  readonly version: number;
}

const machine = setup({
  types: { context: {} as Policy, events: {} as ChartEventOf<typeof policy> },
  actions: {
    keepSettings: assign(({ event }) => {
      assertEvent(event, "PolicySet");
      return { settings: event.data.settings, version: event.version };
    }),
  },
}).createMachine({
  id: "policy",
  context: { settings: {}, version: 0 },
  initial: "empty",
  states: {
    empty: {
      on: {
        PolicySet: { target: "set", actions: "keepSettings" },
      },
    },
    set: {
      on: {
        PolicySet: { actions: "keepSettings" },
      },
    },
  },
});

export default defineAggregate({
  category: "policy",
  schemas: policy,
  machine,
  decide: {
    SetPolicy: (state, { data }) => {
      const isSet = state.matches("set") && isDeepStrictEqual(state.context.settings, data.settings);
      return isSet ? [] : { type: "PolicySet", data };
    },
  },
});
