/** The sample item: drafted, published under rising revisions, archived in the end. */
import { type ChartEventOf, defineAggregate, reject } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { sampleItemSchemas } from "../../schemas/sample-item.ts";

/** What decide has to know of the past. It must not grow without bound: every snapshot holds all of it. */
interface SampleItem {
  readonly title: string;
  /** The newest that was published; 0 before the first. */
  readonly revision: number;
}

/** Folds the events; which of them it accepts in a state is the law of their order. */
const machine = setup({
  types: { context: {} as SampleItem, events: {} as ChartEventOf<typeof sampleItemSchemas> },
  actions: {
    takeTitle: assign(({ event }) => {
      assertEvent(event, "SampleItemDrafted");
      return { title: event.data.title };
    }),
    takeRevision: assign(({ event }) => {
      assertEvent(event, "SampleItemPublished");
      return { revision: event.data.revision };
    }),
  },
}).createMachine({
  id: "sample-item",
  context: { title: "", revision: 0 },
  initial: "empty",
  states: {
    empty: {
      on: {
        SampleItemDrafted: { target: "draft", actions: "takeTitle" },
      },
    },
    draft: {
      on: {
        SampleItemDrafted: { actions: "takeTitle" },
        SampleItemPublished: { target: "published", actions: "takeRevision" },
        SampleItemArchived: "archived",
      },
    },
    published: {
      on: {
        SampleItemDrafted: { target: "draft", actions: "takeTitle" },
        SampleItemArchived: "archived",
      },
    },
    archived: {},
  },
});

/** Each decide is a pure function. It checks only what the chart cannot: an event out of order is refused anyway. */
export default defineAggregate({
  category: "sample-item",
  schemas: sampleItemSchemas,
  machine,
  decide: {
    DraftSampleItem: (_state, { data }) => ({ type: "SampleItemDrafted", data }),

    PublishSampleItem: ({ context }, { data }) => {
      const { title, revision: newest } = context;
      if (title === "untitled") return reject("UNTITLED", "draft it again with a title, and publish that");
      if (data.revision <= newest) {
        const message = `revision ${newest} is published; publish ${newest + 1} or higher`;
        return reject("REVISION_BEHIND", message, { revision: data.revision, newest });
      }
      return { type: "SampleItemPublished", data: { revision: data.revision, title } };
    },

    // Archiving again is success without an event: what was asked for already holds.
    ArchiveSampleItem: (state, { data }) => {
      return state.matches("archived") ? [] : { type: "SampleItemArchived", data };
    },
  },
});
