/**
 * Publishes drafts that nobody has touched for a while. What was left without a title cannot be published, and is
 * archived. An instance is one sample item, by its id, for as long as there is something to do about it.
 */
import { defineSaga, type RecordedEvent, type SagaEventOf, type SagaInput, type SagaReplies, send } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { z } from "zod";
import type { sampleItemSchemas } from "../../schemas/sample-item.ts";

/** What the policy `sample-saga` may set; what it leaves out is the default. */
const settings = z.object({
  /** How long a draft has to rest. */
  restMs: z.int().min(0).default(86_400_000),
  /** Why something is archived. */
  reason: z.string().max(1000).default("nobody has given it a title"),
});

type Settings = z.output<typeof settings>;

/** What the saga has to remember. Every step stores all of it. */
interface Memory {
  readonly id: string;
  /** The newest revision that it has seen; 0 before the first. */
  readonly revision: number;
}

type ItemEvent = "SampleItemDrafted" | "SampleItemPublished" | "SampleItemArchived";

/** Pure: no clock, no randomness, no I/O. What its actions return is done by the runtime, in the transaction of the step. */
const machine = setup({
  types: {
    context: {} as Memory,
    input: {} as SagaInput<Settings>,
    events: {} as SagaEventOf<typeof sampleItemSchemas, ItemEvent, Settings> | SagaReplies<Settings>,
  },
  delays: {
    rest: ({ event }) => event.settings.restMs,
  },
  guards: {
    isUntitled: ({ event }) => event.type === "SagaCommandRejected" && event.data.reason === "UNTITLED",
    isOvertaken: ({ event }) => {
      if (event.type !== "SagaCommandRejected") return false;
      return event.data.code === "NOT_ALLOWED_IN_STATE" || event.data.reason === "REVISION_BEHIND";
    },
  },
  actions: {
    takeRevision: assign(({ event }) => {
      assertEvent(event, "SampleItemPublished");
      return { revision: event.data.revision };
    }),
    publish: send("sample-item", ({ context: { id, revision } }) => {
      return { id, type: "PublishSampleItem", data: { revision: revision + 1 } };
    }),
    archive: send("sample-item", ({ context: { id }, event: { settings } }) => {
      return { id, type: "ArchiveSampleItem", data: { reason: settings.reason } };
    }),
  },
}).createMachine({
  id: "sample-saga",
  context: ({ input }) => ({ id: input.id, revision: 0 }),
  initial: "idle",
  states: {
    idle: {
      on: {
        SampleItemDrafted: "resting",
        SampleItemPublished: { actions: "takeRevision" },
        SampleItemArchived: "over",
      },
    },
    resting: {
      after: { rest: "publishing" },
      on: {
        SampleItemDrafted: { target: "resting", reenter: true },
        SampleItemPublished: { target: "idle", actions: "takeRevision" },
        SampleItemArchived: "over",
      },
    },
    publishing: {
      entry: "publish",
      on: {
        SampleItemPublished: { target: "idle", actions: "takeRevision" },
        // A refusal that no transition takes leaves the saga stuck until somebody looks: only those are taken that are
        // expected. Whoever was faster is heard of next.
        SagaCommandRejected: [
          { guard: "isUntitled", target: "archiving" },
          { guard: "isOvertaken", target: "idle" },
        ],
      },
    },
    archiving: {
      entry: "archive",
      on: { SampleItemArchived: "over" },
    },
    over: { type: "final" },
  },
});

const itemId = ({ stream }: Pick<RecordedEvent, "stream">) => stream.slice("sample-item-".length);

export default defineSaga({
  name: "sample-saga",
  version: 1,
  description: "publishes drafts that have rested, and archives those without a title",
  settings,
  startedBy: ["SampleItemDrafted"],
  correlate: {
    SampleItemDrafted: itemId,
    SampleItemPublished: itemId,
    SampleItemArchived: itemId,
  },
  machine,
});
