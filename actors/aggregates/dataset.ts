/**
 * A dataset: rounds of ingesting, preprocessing and validating, each of which may end in a version that others train
 * on. A version that turns out bad is retracted, never removed.
 */
import { type ChartEventOf, defineAggregate, type EventData, reject } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { dataset } from "../../schemas/dataset.ts";

type Versioned = EventData<typeof dataset, "DatasetVersioned">;

/** What a version stands for, where it is known. */
type Content = Pick<Versioned, "contentRef" | "contentHash">;

interface Version extends Pick<Versioned, "parents" | "contentHash"> {
  readonly isRetracted: boolean;
}

interface Dataset {
  /** Of this round, as far as it has come. */
  readonly content: Content;
  readonly versions: Readonly<Record<string, Version>>;
}

const machine = setup({
  types: { context: {} as Dataset, events: {} as ChartEventOf<typeof dataset> },
  guards: {
    isBuiltFromLog: ({ event }) => event.type === "DatasetVersioned" && event.data.builtFrom !== undefined,
    isKnownVersion: ({ context, event }) =>
      event.type === "DatasetVersionRetracted" && Object.hasOwn(context.versions, event.data.version),
  },
  actions: {
    beginRound: assign(({ event }) => {
      assertEvent(event, "DataIngested");
      return { content: contentOf(event.data.contentRef, event.data.contentHash) };
    }),
    takeOutput: assign(({ event }) => {
      assertEvent(event, "DataPreprocessed");
      return { content: contentOf(event.data.outputRef) };
    }),
    addVersion: assign(({ context, event }) => {
      assertEvent(event, "DatasetVersioned");
      const { version, parents, contentHash } = event.data;
      const added: Version = { ...(parents && { parents }), ...(contentHash && { contentHash }), isRetracted: false };
      return { versions: { ...context.versions, [version]: added } };
    }),
    retractVersion: assign(({ context, event }) => {
      assertEvent(event, "DatasetVersionRetracted");
      const { version } = event.data;
      const retracted = { ...(context.versions[version] as Version), isRetracted: true };
      return { versions: { ...context.versions, [version]: retracted } };
    }),
  },
}).createMachine({
  id: "dataset",
  context: { content: {}, versions: {} },
  initial: "empty",
  states: {
    empty: {
      on: {
        DataIngested: { target: "ingested", actions: "beginRound" },
        DatasetVersioned: { target: "versioned", guard: "isBuiltFromLog", actions: "addVersion" },
      },
    },
    ingested: {
      on: {
        DataPreprocessed: { target: "preprocessed", actions: "takeOutput" },
        DataValidated: "validated",
        DataRejected: "rejected",
        DatasetRetired: "retired",
      },
    },
    preprocessed: {
      on: {
        DataValidated: "validated",
        DataRejected: "rejected",
        DatasetRetired: "retired",
      },
    },
    validated: {
      on: {
        DatasetVersioned: { target: "versioned", actions: "addVersion" },
        DataIngested: { target: "ingested", actions: "beginRound" },
        DatasetRetired: "retired",
      },
    },
    rejected: {
      on: {
        DataIngested: { target: "ingested", actions: "beginRound" },
        DatasetVersioned: { target: "versioned", guard: "isBuiltFromLog", actions: "addVersion" },
        DatasetRetired: "retired",
      },
    },
    versioned: {
      on: {
        DataIngested: { target: "ingested", actions: "beginRound" },
        DatasetVersioned: { target: "versioned", guard: "isBuiltFromLog", actions: "addVersion" },
        DatasetRetired: "retired",
      },
    },
    retired: {},
  },
  on: {
    DatasetVersionRetracted: { guard: "isKnownVersion", actions: "retractVersion" },
  },
});

export default defineAggregate({
  category: "dataset",
  schemas: dataset,
  machine,
  decide: {
    IngestData: (_state, { data }) => ({ type: "DataIngested", data }),

    PreprocessData: (_state, { data }) => ({ type: "DataPreprocessed", data }),

    ValidateData: (_state, { data }) => {
      const checks = data.checks ?? [];
      const failures = [...(data.failures ?? []), ...checks.filter(hasFailed)];
      return failures.length === 0
        ? { type: "DataValidated", data: { checks } }
        : { type: "DataRejected", data: { failures, checks } };
    },

    VersionDataset: ({ context }, { data }) => {
      const { version, builtFrom } = data;
      if (Object.hasOwn(context.versions, version)) {
        return reject("VERSION_EXISTS", `version ${version} exists; a version is never replaced`, { version });
      }
      const built = builtFrom?.sha256 === undefined ? {} : { contentHash: builtFrom.sha256 };
      const content = builtFrom === undefined ? context.content : built;
      return { type: "DatasetVersioned", data: { ...content, ...data } };
    },

    RetractVersion: ({ context }, { data }) => {
      const version = Object.hasOwn(context.versions, data.version) ? context.versions[data.version] : undefined;
      if (version === undefined) {
        return reject("UNKNOWN_VERSION", `this dataset has no version ${data.version}`, { version: data.version });
      }
      return version.isRetracted ? [] : { type: "DatasetVersionRetracted", data };
    },

    RetireDataset: (_state, { data }) => ({ type: "DatasetRetired", data }),
  },
});

type Check = NonNullable<EventData<typeof dataset, "DataValidated">["checks"]>[number];

function hasFailed(check: Check): boolean {
  return typeof check === "object" && check.passed === false;
}

/** The hash as given, else the one in the reference. */
function contentOf(contentRef: Content["contentRef"], contentHash = contentRef?.sha256): Content {
  return { ...(contentRef && { contentRef }), ...(contentHash && { contentHash }) };
}
