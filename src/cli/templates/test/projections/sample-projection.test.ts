/** Given events, these rows: no runtime, no store. */
import type { EventOf } from "retrace";
import { project } from "retrace/testing";
import { describe, expect, test } from "vitest";
import projection from "../../actors/projections/sample-projection.ts";
import type { sampleItemSchemas } from "../../schemas/sample-item.ts";

type Event = EventOf<typeof sampleItemSchemas>;

const drafted = (title: string): Event => ({ type: "SampleItemDrafted", data: { title } });
const published: Event = { type: "SampleItemPublished", data: { revision: 1, title: "first" } };
const archived: Event = { type: "SampleItemArchived", data: {} };

function of(id: string, ...events: readonly Event[]) {
  return events.map((event) => ({ category: "sample-item", id, ...event }));
}

describe("sample-projection", () => {
  test("has a row for each draft, with how often it was drafted", () => {
    const events = [...of("x1", drafted("first")), ...of("x2", drafted("other"), drafted("another"))];
    expect(project(projection, events)).toEqual({
      "draft/x1": { title: "first", times: 1 },
      "draft/x2": { title: "another", times: 2 },
    });
  });

  test("moves what is published, and keeps it while it is drafted again", () => {
    const once = of("x1", drafted("first"), published);
    expect(project(projection, once)).toEqual({ "published/x1": { title: "first", revision: 1 } });
    expect(project(projection, [...once, ...of("x1", drafted("second"))])).toEqual({
      "draft/x1": { title: "second", times: 1 },
      "published/x1": { title: "first", revision: 1 },
    });
  });

  test("has no row for what is archived", () => {
    expect(project(projection, of("x1", drafted("first"), published, drafted("second"), archived))).toEqual({});
  });
});
