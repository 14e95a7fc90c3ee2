/**
 * What a retracted dataset version leaves behind: every dataset, feature set, run, model version and deployment that came
 * from it is listed, and the predictions counted; each is named in the saga's history, in what the lineage answered. Where
 * the policy says so, they are undone, what serves first.
 */
import { ask, defineSaga, type SagaEventOf, type SagaInput, type SagaReplies, send } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import type { dataset } from "../../schemas/dataset.ts";
import { shortened } from "../instance-id.ts";
import {
  type Downstream,
  downstreamOf,
  foundIn,
  type Kind,
  ofKind,
  questionFor,
  withPage,
  withPredictions,
} from "./retraction/downstream.ts";
import { type Settings, settings, type Undoable } from "./retraction/settings.ts";
import {
  cancelRuns,
  type Grounds,
  rejectVersions,
  retractDatasets,
  rollBackDeployments,
  supersede,
  unnamed,
} from "./retraction/undoing.ts";

type RetractionEvent = SagaEventOf<typeof dataset, "DatasetVersionRetracted", Settings> | SagaReplies<Settings>;

interface Retraction {
  readonly id: string;
  readonly dataset: string;
  readonly version: string;
  readonly reason: string;
  readonly downstream: Downstream;
  /** The first of them, in words: mostly of things that were so already. */
  readonly refused: readonly string[];
  readonly refusedCount: number;
}

interface Args {
  readonly context: Retraction;
  readonly event: RetractionEvent;
}

const maxNamed = 100;
const maxReasonLength = 2_000;
const maxRefusalLength = 300;

function groundsOf({ id, dataset: datasetId, version, reason }: Retraction): Grounds {
  const text = `version ${version} of dataset ${datasetId} was retracted${reason === "" ? "" : `: ${reason}`}`;
  const evidence = { retraction: id, datasetId, datasetVersion: version };
  return { reason: text.slice(0, maxReasonLength), evidence };
}

function undoes({ event }: Args, what: Undoable): boolean {
  return event.settings.undo.includes(what);
}

function pageIn({ context, event }: Args): Downstream {
  assertEvent(event, "SagaAnswered");
  return withPage(context.downstream, event.data, event.settings);
}

const machine = setup({
  types: { context: {} as Retraction, input: {} as SagaInput<Settings>, events: {} as RetractionEvent },
  guards: {
    isMore: (args) => pageIn(args).pages.length > 0,
    hasPredictions: ({ context }) => context.downstream.pages.length > 0,
  },
  actions: {
    remember: assign(({ event }) => {
      assertEvent(event, "DatasetVersionRetracted");
      const { version, reason = "" } = event.data;
      return { dataset: event.streamId, version, reason, downstream: downstreamOf(event.streamId, version) };
    }),
    notePage: assign((args) => ({ downstream: pageIn(args) })),
    turnToPredictions: assign(({ context }) => ({ downstream: withPredictions(context.downstream) })),
    noteRefusal: assign(({ context, event }) => {
      assertEvent(event, "SagaCommandRejected");
      const { command, message } = event.data;
      const text = `${command.type}: ${message}`.slice(0, maxRefusalLength);
      return { refused: [...context.refused, text].slice(0, maxNamed), refusedCount: context.refusedCount + 1 };
    }),

    read: ask("lineage", ({ context }) => questionFor(context.downstream)),
    cancelRuns: send("training-run", (args) => {
      return undoes(args, "runs") ? cancelRuns(args.context.downstream, groundsOf(args.context)) : undefined;
    }),
    rollBackDeployments: send("model", (args) => {
      return undoes(args, "deployments")
        ? rollBackDeployments(args.context.downstream, groundsOf(args.context))
        : undefined;
    }),
    rejectVersions: send("model", (args) => {
      return undoes(args, "versions") ? rejectVersions(args.context.downstream, groundsOf(args.context)) : undefined;
    }),
    retractDatasets: send("dataset", (args) => {
      return undoes(args, "datasets") ? retractDatasets(args.context.downstream, groundsOf(args.context)) : undefined;
    }),
    supersede: send("inference", (args) => {
      assertEvent(args.event, "SagaAnswered");
      return undoes(args, "predictions") ? supersede(foundIn(args.event.data), groundsOf(args.context)) : undefined;
    }),
  },
}).createMachine({
  id: "retraction",
  context: ({ input }) => {
    const nothing = { dataset: "", version: "", reason: "", refused: [], refusedCount: 0 };
    return { id: input.id, ...nothing, downstream: { pages: [], found: [], predictions: 0, isComplete: true } };
  },
  initial: "begun",
  states: {
    begun: {
      on: {
        DatasetVersionRetracted: { target: "tracing", actions: "remember" },
      },
    },
    /** A page at a time, so that no transaction gets long. */
    tracing: {
      entry: "read",
      on: {
        SagaAnswered: [
          { target: "betweenPages", guard: "isMore", actions: "notePage" },
          {
            target: "undoing",
            actions: ["notePage", "rollBackDeployments", "rejectVersions", "cancelRuns", "retractDatasets"],
          },
        ],
      },
    },
    betweenPages: { after: { 1: "tracing" } },
    /** What was refused comes back before the time is up. */
    undoing: {
      entry: "turnToPredictions",
      after: { 1: [{ target: "counting", guard: "hasPredictions" }, { target: "reported" }] },
    },
    counting: {
      entry: "read",
      on: {
        SagaAnswered: { target: "betweenPredictions", actions: ["supersede", "notePage"] },
      },
    },
    betweenPredictions: {
      after: { 1: [{ target: "counting", guard: "hasPredictions" }, { target: "reported" }] },
    },
    reported: { type: "final" },
  },
  on: {
    SagaCommandRejected: { actions: "noteRefusal" },
  },
  output: ({ context }) => {
    const { dataset: id, version, reason, downstream, refused, refusedCount } = context;
    const listed = (kind: Kind) => {
      const names = ofKind(downstream, kind).map(({ name }) => name);
      return { count: names.length, names: names.slice(0, maxNamed) };
    };
    return {
      dataset: id,
      version,
      reason,
      isComplete: downstream.isComplete,
      datasets: listed("dataset"),
      featureSets: listed("feature-set"),
      runs: listed("training-run"),
      versions: listed("model"),
      deployments: listed("deployment"),
      predictions: downstream.predictions,
      refused,
      refusedCount,
      unnamed: unnamed(downstream).slice(0, maxNamed),
    };
  },
});

export default defineSaga({
  name: "retraction",
  description: "lists what came from a retracted dataset version, and undoes what the policy says",
  settings,
  startedBy: ["DatasetVersionRetracted"],
  correlate: {
    DatasetVersionRetracted: ({ stream, category, version }) => {
      const event = `~${version}`;
      return shortened(stream.slice(category.length + 1), event.length) + event;
    },
  },
  machine,
});
