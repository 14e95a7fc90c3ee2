/** What the commands and events of the sample item carry. */
import { z } from "zod";

const title = z.string().min(1).max(200);
const revision = z.int().min(1);
const reason = z.string().max(1000);

export const sampleItemSchemas = {
  /** Strict: a misspelt field is refused. A command has its event's fields, less what decide adds. */
  commands: {
    DraftSampleItem: z.strictObject({ title }),
    PublishSampleItem: z.strictObject({ revision }),
    ArchiveSampleItem: z.strictObject({ reason: reason.optional() }),
  },
  /** Loose: what other versions of this file wrote besides is kept. */
  events: {
    SampleItemDrafted: z.looseObject({ title }),
    SampleItemPublished: z.looseObject({ revision, title }),
    SampleItemArchived: z.looseObject({ reason: reason.optional() }),
  },
};
