/**
 * A feature set: rounds of computing features from a dataset and validating them, each of which may end in a version
 * that runs train on. A version stands for its round for ever.
 */
import { type ChartEventOf, defineAggregate, type EventData, reject } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { featureSet } from "../../schemas/feature-set.ts";

/** What a round computed and from what; only what is known. */
type Round = Pick<
  EventData<typeof featureSet, "FeatureComputed">,
  "datasetId" | "datasetVersion" | "definitionHash" | "codeVersion" | "outputRef"
>;

/** References stay in the log: what many versions keep has to be small. */
type Version = Omit<Round, "outputRef">;

interface FeatureSet {
  readonly round: Round;
  readonly versions: Readonly<Record<string, Version>>;
}

const machine = setup({
  types: { context: {} as FeatureSet, events: {} as ChartEventOf<typeof featureSet> },
  actions: {
    beginRound: assign(({ event }) => {
      assertEvent(event, "FeatureComputed");
      return { round: roundIn(event.data) };
    }),
    addVersion: assign(({ context, event }) => {
      assertEvent(event, "FeatureVersioned");
      const { outputRef: _, ...kept } = roundIn(event.data);
      return { versions: { ...context.versions, [event.data.version]: kept } };
    }),
  },
}).createMachine({
  id: "feature-set",
  context: { round: {}, versions: {} },
  initial: "empty",
  states: {
    empty: {
      on: {
        FeatureComputed: { target: "computed", actions: "beginRound" },
      },
    },
    /** Computing again, because a check failed or the code was wrong, begins the round anew. */
    computed: {
      on: {
        FeatureComputed: { target: "computed", actions: "beginRound" },
        FeatureValidated: "validated",
      },
    },
    validated: {
      on: {
        FeatureVersioned: { target: "versioned", actions: "addVersion" },
        FeatureComputed: { target: "computed", actions: "beginRound" },
      },
    },
    versioned: {
      on: {
        FeatureComputed: { target: "computed", actions: "beginRound" },
      },
    },
  },
});

export default defineAggregate({
  category: "feature-set",
  schemas: featureSet,
  machine,
  decide: {
    ComputeFeatures: (_state, { data }) => ({ type: "FeatureComputed", data }),

    ValidateFeatures: (state, { data }) => {
      const { checks = [] } = data;
      const failures = checks.filter(hasFailed);
      if (state.matches("computed") && failures.length > 0) return checksFailed(failures);
      return { type: "FeatureValidated", data: { checks } };
    },

    VersionFeatures: ({ context }, { data }) => {
      const { version } = data;
      if (Object.hasOwn(context.versions, version)) {
        return reject("VERSION_EXISTS", `version ${version} exists; a version is never replaced`, { version });
      }
      return { type: "FeatureVersioned", data: { ...context.round, ...data } };
    },
  },
});

function roundIn(data: Round): Round {
  const { datasetId, datasetVersion, definitionHash, codeVersion, outputRef } = data;
  return {
    ...(datasetId !== undefined && { datasetId }),
    ...(datasetVersion !== undefined && { datasetVersion }),
    ...(definitionHash !== undefined && { definitionHash }),
    ...(codeVersion !== undefined && { codeVersion }),
    ...(outputRef !== undefined && { outputRef }),
  };
}

type Check = NonNullable<EventData<typeof featureSet, "FeatureValidated">["checks"]>[number];

function hasFailed(check: Check): boolean {
  return typeof check === "object" && check.passed === false;
}

function checksFailed(failures: readonly Check[]) {
  const names = failures.map((check) => (typeof check === "object" ? check.name : check) ?? "one without a name");
  const shown = names.slice(0, 5).join(", ");
  const rest = names.length > 5 ? ` and ${names.length - 5} more` : "";
  return reject("CHECKS_FAILED", `checks failed: ${shown}${rest}; compute the features again`, { failures });
}
