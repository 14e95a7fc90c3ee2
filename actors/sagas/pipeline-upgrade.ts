/**
 * Brings documents under the pipeline that its policy names: those that are stored, some at a time, and those that are
 * ingested later. It asks for the step; how a document gets there, is compared and cut over is `document-ingestion`.
 *
 * An instance is a pipeline. It sleeps when nothing is left to bring, or the policy names another one.
 */
import { ask, defineSaga, type RecordedEvent, type SagaEventOf, type SagaInput, type SagaReplies, send } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { z } from "zod";
import type { document } from "../../schemas/document.ts";
import { key } from "../../schemas/fields.ts";
import type { policy } from "../../schemas/policy.ts";
import { given } from "../given-fields.ts";
import { instanceId } from "../instance-id.ts";
import {
  type DocumentRow,
  type PipelineRow,
  pipelinePrefix,
  servingPrefix,
} from "../projections/document-pipelines.ts";
import { idOf } from "../stream-id.ts";

const settings = z.strictObject({
  /** Where documents are to be. Absent: they stay where they are. */
  pipeline: key.optional(),
  embeddingModel: key.optional(),
  /** `index` takes over the chunks that a document has; `chunk` has it chunked anew. */
  step: z.enum(["index", "chunk"]).default("index"),
  /** How many documents are on their way at a time. */
  atOnce: z.int().min(1).max(50).default(20),
  /** How often it looks whether more can be brought, when no document has arrived meanwhile. */
  everyMs: z.int().min(1_000).default(60_000),
});

type Settings = z.output<typeof settings>;

type UpgradeEvent =
  | SagaEventOf<typeof policy, "PolicySet", Settings>
  | SagaEventOf<typeof document, "IngestionCompleted", Settings>
  | SagaReplies<Settings>;

interface Upgrade {
  /** Empty until it is known. */
  readonly pipeline: string;
  /** The pipeline whose documents are brought next, and how many of them. */
  readonly source: string;
  readonly room: number;
}

interface Args {
  readonly context: Upgrade;
  readonly event: UpgradeEvent;
}

/** Documents that cannot come now are looked at again; those that never can are on record as failed. */
const comesLater: readonly (string | undefined)[] = ["PIPELINE_BUSY", "NOT_INGESTED"];

function refusedBecause({ event }: Args): string | undefined {
  return event.type === "SagaCommandRejected" ? event.data.reason : undefined;
}

const machine = setup({
  types: { context: {} as Upgrade, input: {} as SagaInput<Settings>, events: {} as UpgradeEvent },
  delays: { pause: ({ event }) => event.settings.everyMs },
  guards: {
    isSuperseded: ({ context, event }) => event.settings.pipeline !== context.pipeline,
    canBring: ({ context, event }) => nextIn({ context, event }) !== undefined,
    isUnderWay: ({ context, event }) => arriving({ context, event }) > 0,
    isElsewhere: ({ context, event }) => {
      return event.type === "IngestionCompleted" && event.data.pipeline !== context.pipeline;
    },
    isWholeAlready: (args) => refusedBecause(args) === "NOTHING_MISSING",
    isForLater: ({ context, event }) => {
      if (event.type !== "SagaCommandRejected") return false;
      const isOvertaken = event.data.code === "NOT_ALLOWED_IN_STATE";
      return isOvertaken || comesLater.includes(refusedBecause({ context, event }));
    },
    isRequest: ({ event }) => {
      return event.type === "SagaCommandRejected" && event.data.command.type === "RequestDocumentStep";
    },
  },
  actions: {
    notePipeline: assign(({ event }) => ({ pipeline: event.settings.pipeline ?? "" })),
    askPipelines: ask("document-pipelines", () => ({ prefix: pipelinePrefix, limit: 1_000 })),
    noteNext: assign((args) => nextIn(args) ?? {}),
    askDocuments: ask("document-pipelines", ({ context: { source, room } }) => {
      return { prefix: servingPrefix(source), limit: room };
    }),
    request: send("document", ({ context, event }) => {
      assertEvent(event, "SagaAnswered");
      const { step, embeddingModel } = event.settings;
      const data = given({ step, pipeline: context.pipeline, embeddingModel });
      const ids = event.data.rows.map(({ value }) => (value as DocumentRow).documentId);
      return ids.map((id) => ({ id, type: "RequestDocumentStep", data }));
    }),
    /** It was brought by hand: what is missing is the comparison. */
    requestComparison: send("document", ({ context, event }) => {
      assertEvent(event, "SagaCommandRejected");
      const data = { step: "compare", pipeline: context.pipeline };
      return { id: event.data.command.id, type: "RequestDocumentStep", data };
    }),
    recordFailure: send("document", ({ context, event }) => {
      assertEvent(event, "SagaCommandRejected");
      const reason = `it cannot be brought under ${context.pipeline}: ${event.data.message}`.slice(0, 4_096);
      const data = { step: event.settings.step, pipeline: context.pipeline, reason, retryable: false };
      return { id: event.data.command.id, type: "FailDocumentStep", data };
    }),
  },
}).createMachine({
  id: "pipeline-upgrade",
  context: { pipeline: "", source: "", room: 0 },
  initial: "begun",
  states: {
    begun: {
      on: {
        PolicySet: { target: "surveying", actions: "notePipeline" },
        IngestionCompleted: { target: "surveying", actions: "notePipeline" },
      },
    },
    surveying: {
      entry: "askPipelines",
      on: {
        SagaAnswered: [
          { target: "asleep", guard: "isSuperseded" },
          { target: "choosing", guard: "canBring", actions: "noteNext" },
          { target: "pausing", guard: "isUnderWay" },
          { target: "asleep" },
        ],
      },
    },
    choosing: {
      entry: "askDocuments",
      on: { SagaAnswered: { target: "pausing", actions: "request" } },
    },
    pausing: {
      on: {
        IngestionCompleted: "surveying",
        PolicySet: "surveying",
        SagaCommandRejected: [
          { guard: "isWholeAlready", actions: "requestComparison" },
          { guard: "isForLater", actions: assign({}) },
          { guard: "isRequest", actions: "recordFailure" },
        ],
      },
      after: { pause: "surveying" },
    },
    asleep: {
      on: { PolicySet: "surveying", IngestionCompleted: { target: "surveying", guard: "isElsewhere" } },
    },
  },
});

function pipelinesIn({ event }: Args): PipelineRow[] {
  return event.type === "SagaAnswered" ? event.data.rows.map(({ value }) => value as PipelineRow) : [];
}

function arriving(args: Args): number {
  return pipelinesIn(args).find(({ pipeline }) => pipeline === args.context.pipeline)?.arriving ?? 0;
}

/** Where documents can be brought from now, and how many; undefined when there are none, or enough are on their way. */
function nextIn(args: Args): Pick<Upgrade, "source" | "room"> | undefined {
  const { context, event } = args;
  const room = event.settings.atOnce - arriving(args);
  const source = pipelinesIn(args).find(({ pipeline, serving }) => serving > 0 && pipeline !== context.pipeline);
  return source === undefined || room <= 0 ? undefined : { source: source.pipeline, room };
}

type Event = RecordedEvent<string, never>;

const ownPolicy = "pipeline-upgrade";

export default defineSaga({
  name: ownPolicy,
  description: "brings documents under the pipeline that the policy names, some at a time",
  settings,
  startedBy: ["PolicySet", "IngestionCompleted"],
  correlate: {
    PolicySet: (event: Event, { settings: { pipeline } }) => {
      return pipeline === undefined || idOf(event) !== ownPolicy ? undefined : instanceId(pipeline);
    },
    IngestionCompleted: (_event, { settings: { pipeline } }) => {
      return pipeline === undefined ? undefined : instanceId(pipeline);
    },
  },
  machine,
});
