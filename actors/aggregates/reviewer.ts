/**
 * A reviewer: what somebody can judge, and how much at once. Who has retired may register again: people come back, and
 * their history stays one.
 */
import { isDeepStrictEqual } from "node:util";
import { type ChartEventOf, defineAggregate } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { reviewer } from "../../schemas/reviewer.ts";

interface Profile {
  /** Each once, in alphabetical order. */
  readonly skills: readonly string[];
  readonly capacity?: number;
}

/** The profile is an object of its own because a later one may have no capacity. */
interface Reviewer {
  readonly profile: Profile;
}

const machine = setup({
  types: { context: {} as Reviewer, events: {} as ChartEventOf<typeof reviewer> },
  actions: {
    keepProfile: assign(({ event }) => {
      assertEvent(event, ["ReviewerRegistered", "ReviewerChanged"]);
      return { profile: profileOf(event.data) };
    }),
  },
}).createMachine({
  id: "reviewer",
  context: { profile: { skills: [] } },
  initial: "empty",
  states: {
    empty: {
      on: {
        ReviewerRegistered: { target: "registered", actions: "keepProfile" },
      },
    },
    registered: {
      on: {
        ReviewerChanged: { actions: "keepProfile" },
        ReviewerRetired: "retired",
      },
    },
    retired: {
      on: {
        ReviewerRegistered: { target: "registered", actions: "keepProfile" },
      },
    },
  },
});

export default defineAggregate({
  category: "reviewer",
  schemas: reviewer,
  machine,
  decide: {
    RegisterReviewer: (state, { data }) => {
      const profile = profileOf(data);
      const isRegistered = state.matches("registered") && isDeepStrictEqual(profile, state.context.profile);
      return isRegistered ? [] : { type: "ReviewerRegistered", data: profile };
    },

    ChangeReviewer: (state, { data }) => {
      const profile = profileOf({ ...state.context.profile, ...data });
      const isSame = state.matches("registered") && isDeepStrictEqual(profile, state.context.profile);
      return isSame ? [] : { type: "ReviewerChanged", data: profile };
    },

    RetireReviewer: (state, { data }) => {
      return state.matches("retired") ? [] : { type: "ReviewerRetired", data };
    },
  },
});

interface ProfileInput {
  readonly skills?: readonly string[];
  readonly capacity?: number | null;
}

function profileOf({ skills = [], capacity }: ProfileInput): { skills: string[]; capacity?: number } {
  return { skills: [...new Set(skills)].sort(), ...(typeof capacity === "number" && { capacity }) };
}
