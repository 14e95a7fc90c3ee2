/** `project` of `retrace/testing`, as a user's test of a projection calls it. */
import { defineProjection } from "retrace";
import { type ProjectedEvent, project } from "retrace/testing";
import { expect, test } from "vitest";

interface Row {
  readonly texts: readonly string[];
  readonly at: string;
}

const notes = defineProjection<Row>({
  name: "notes",
  version: 1,
  mode: "sync",
  on: {
    Noted: {
      key: ({ stream }) => stream,
      apply: (row, { data, version, occurredAt }) => {
        const { text } = data as { text: string };
        return { texts: [...(row?.texts ?? []), `${version}: ${text}`], at: occurredAt };
      },
    },
    Moved: (event, rows) => {
      const { to } = event.data as { to: string };
      const row = rows.get(event.stream);
      if (row === undefined) throw new Error("there is nothing to move");
      rows.put(to, row);
      rows.delete(event.stream);
    },
    Emptied: (_event, rows) => {
      for (const { key } of rows.scan("note-")) rows.delete(key);
    },
  },
});

const noted = (id: string, text: string): ProjectedEvent => ({ category: "note", id, type: "Noted", data: { text } });
const event = (type: string, data: unknown = {}): ProjectedEvent => ({ category: "note", id: "a", type, data });

test("folds events into rows, in the order of their keys, with versions and times of its own", () => {
  const rows = project<Row>(notes, [noted("b", "one"), noted("a", "two"), event("Unheard"), noted("b", "three")]);
  expect(rows).toEqual({
    "note-a": { texts: ["1: two"], at: "2026-01-01T00:00:02.000Z" },
    "note-b": { texts: ["1: one", "2: three"], at: "2026-01-01T00:00:04.000Z" },
  });
  expect(Object.keys(rows)).toEqual(["note-a", "note-b"]);
  expect(project(notes, [])).toEqual({});
});

test("what a test says of an event goes before", () => {
  const [first] = Object.values(project<Row>(notes, [{ ...noted("a", "x"), occurredAt: "2025-06-01T12:00:00.000Z" }]));
  expect(first?.at).toBe("2025-06-01T12:00:00.000Z");
});

test("handlers read, move, scan and delete rows", () => {
  const moved = [noted("a", "one"), event("Moved", { to: "kept" })];
  expect(Object.keys(project(notes, moved))).toEqual(["kept"]);
  expect(Object.keys(project(notes, [...moved, noted("b", "two"), noted("c", "three"), event("Emptied")]))).toEqual([
    "kept",
  ]);
});

test("an event that a runtime would park is an error that names it", () => {
  const nothing = [noted("b", "one"), event("Moved", { to: "kept" })];
  expect(() => project(notes, nothing)).toThrow("notes cannot take Moved, event 2 of the test: there is nothing");
  const dated = defineProjection<unknown>({
    name: "dated",
    version: 1,
    mode: "sync",
    on: { Noted: { key: () => "k", apply: () => ({ at: new Date(0) }) } },
  });
  expect(() => project(dated, [noted("a", "x")])).toThrow("event 1 of the test: the row.at is a Date, not plain data");
});
