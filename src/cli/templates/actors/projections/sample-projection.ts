/**
 * The titles of each sample item: of its draft, and of what is published. Row keys: `draft/<id>` and `published/<id>`.
 * What is archived has no row.
 */
import { defineProjection, type RecordedEvent } from "retrace";
import type { sampleItemSchemas } from "../../schemas/sample-item.ts";

interface Draft {
  readonly title: string;
  /** How often it was drafted since the last publication. */
  readonly times: number;
}

interface Published {
  readonly title: string;
  readonly revision: number;
}

/** Each handler is a pure function of the event and the rows. When one changes, raise the version: all rows are made anew. */
export default defineProjection<Draft | Published, typeof sampleItemSchemas>({
  name: "sample-projection",
  version: 1,
  // "sync": whoever has the reply to a command reads its rows. "async": a moment later, and off the way of commands.
  mode: "sync",
  description: "the drafts of each sample item, and what is published",
  on: {
    // The short form: one event, one row.
    SampleItemDrafted: {
      key: (event) => draftKey(event),
      apply: (row, { data }) => ({ title: data.title, times: row !== undefined && "times" in row ? row.times + 1 : 1 }),
    },

    SampleItemPublished: (event, rows) => {
      rows.delete(draftKey(event));
      rows.put(publishedKey(event), { title: event.data.title, revision: event.data.revision });
    },

    SampleItemArchived: (event, rows) => {
      rows.delete(draftKey(event));
      rows.delete(publishedKey(event));
    },
  },
});

function draftKey(event: RecordedEvent): string {
  return `draft/${itemId(event)}`;
}

function publishedKey(event: RecordedEvent): string {
  return `published/${itemId(event)}`;
}

function itemId({ stream }: RecordedEvent): string {
  return stream.slice("sample-item-".length);
}
