/** Given a history, when a command comes, then these events: no runtime, no store, no clock. */
import type { EventOf } from "retrace";
import { given } from "retrace/testing";
import { describe, expect, test } from "vitest";
import aggregate from "../actors/aggregates/sample-item.ts";

type Event = EventOf<typeof aggregate.schemas>;

const drafted: Event = { type: "SampleItemDrafted", data: { title: "first" } };
const published: Event = { type: "SampleItemPublished", data: { revision: 1, title: "first" } };
const archived: Event = { type: "SampleItemArchived", data: { reason: "replaced" } };

describe("sample-item", () => {
  test("is drafted, again and again", () => {
    const state = given(aggregate, [drafted])
      .when({ type: "DraftSampleItem", data: { title: "second" } })
      .then([{ type: "SampleItemDrafted", data: { title: "second" } }]);
    expect(state.value).toBe("draft");
  });

  test("publishes the title that was drafted", () => {
    const state = given(aggregate, [drafted])
      .when({ type: "PublishSampleItem", data: { revision: 1 } })
      .then([published]);
    expect(state.value).toBe("published");
  });

  test("never publishes a revision twice", () => {
    given(aggregate, [drafted, published, drafted])
      .when({ type: "PublishSampleItem", data: { revision: 1 } })
      .thenRejected("REVISION_BEHIND");
  });

  test("publishes nothing without a title", () => {
    given(aggregate, [{ type: "SampleItemDrafted", data: { title: "untitled" } }])
      .when({ type: "PublishSampleItem", data: { revision: 1 } })
      .thenRejected("UNTITLED");
  });

  test("publishes nothing before there is a draft", () => {
    given(aggregate)
      .when({ type: "PublishSampleItem", data: { revision: 1 } })
      .thenNotAllowed({ state: "empty" });
  });

  test("takes no draft once it is archived", () => {
    given(aggregate, [drafted, archived])
      .when({ type: "DraftSampleItem", data: { title: "second" } })
      .thenNotAllowed({ state: "archived" });
  });

  test("is archived once; again changes nothing", () => {
    const archive = { type: "ArchiveSampleItem", data: { reason: "replaced" } } as const;
    given(aggregate, [drafted]).when(archive).then([archived]);
    given(aggregate, [drafted, archived]).when(archive).thenNothing();
  });

  test("refuses a field it does not know", () => {
    given(aggregate).whenRaw("DraftSampleItem", { titel: "first" }).thenInvalid("titel");
  });
});
