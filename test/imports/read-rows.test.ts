/** Reading rows of files: what is on which line, what is none, and what is no such file. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasColumn, isoTimeOf, numberIn, requiredText, timeIn } from "../../actors/verbs/import/columns.ts";
import { type Row, readRows } from "../../actors/verbs/import/read-rows.ts";
import { dataSetOf, streamIdOf } from "../../actors/verbs/import/stream-ids.ts";
import { readLines, sourceOf } from "../../actors/verbs/import/text-file.ts";
import { isStreamId } from "../../src/core/stream.ts";
import { tempDir } from "../support/temp.ts";

const folder = tempDir("retrace-rows-");
let files = 0;

function file(content: string | Uint8Array): string {
  files += 1;
  const path = join(folder, `file-${files}`);
  writeFileSync(path, content);
  return path;
}

function rowsOf(content: string | Uint8Array): Row[] {
  return [...readRows(file(content))];
}

/** More than the reader takes from the disk at once. */
const long = "x".repeat(300_000);

describe("JSON lines", () => {
  test("are rows, blank lines are none, and whatever ends a line", () => {
    expect(rowsOf('\uFEFF{"a": 1}\r\n\n  \n{"a": "two \u2028 lines"}')).toEqual([
      { line: 1, fields: { a: 1 } },
      { line: 4, fields: { a: "two \u2028 lines" } },
    ]);
  });

  test("that are none are told, and the others are rows", () => {
    expect(rowsOf('{"a": 1}\n{"a": NaN}\n{"a"\n[1]\n"a"\nnull\n{"a": 2}\n')).toEqual([
      { line: 1, fields: { a: 1 } },
      { line: 2, reason: expect.stringMatching(/^not JSON: .*N/) },
      { line: 3, reason: expect.stringMatching(/^not JSON: /) },
      { line: 4, reason: "not a JSON object" },
      { line: 5, reason: "not a JSON object" },
      { line: 6, reason: "not a JSON object" },
      { line: 7, fields: { a: 2 } },
    ]);
  });

  test("may be longer than what is read at once", () => {
    const umlauts = "ü".repeat(200_001);
    expect(rowsOf(`{"a": "${long}"}\n{"a": "${umlauts}"}\n{"a": 3}`)).toEqual([
      { line: 1, fields: { a: long } },
      { line: 2, fields: { a: umlauts } },
      { line: 3, fields: { a: 3 } },
    ]);
  });
});

describe("a JSON array", () => {
  test("has rows where its elements begin", () => {
    expect(rowsOf('\n[\n  {"a": 1},\n\n  {\n    "a": [2, {"b": "],{\\"\\\\"}]\n  }, {"a": 3}\n]\n')).toEqual([
      { line: 3, fields: { a: 1 } },
      { line: 5, fields: { a: [2, { b: '],{"\\' }] } },
      { line: 7, fields: { a: 3 } },
    ]);
    expect(rowsOf("[]")).toEqual([]);
    expect(rowsOf(`[{"a": "${long}"}, {"a": "${long}"}]`)).toHaveLength(2);
  });

  test("keeps its other elements when one is none", () => {
    expect(rowsOf('[\n{"a": 1},\n{"a": NaN},\n{"a": "open},\n{"a": 2},\n7,\n,\n{"a": 3}\n]')).toEqual([
      { line: 2, fields: { a: 1 } },
      { line: 3, reason: expect.stringMatching(/^not JSON: /) },
      { line: 4, reason: expect.stringMatching(/^not JSON: /) },
      { line: 5, fields: { a: 2 } },
      { line: 6, reason: "not a JSON object" },
      { line: 7, reason: expect.stringMatching(/^not JSON: /) },
      { line: 8, fields: { a: 3 } },
    ]);
  });

  test("written over several lines loses no more than the element that is none", () => {
    expect(rowsOf('[\n{\n"a": "open,\n"b": {}\n},\n{\n"a": 2\n}\n]')).toEqual([
      { line: 2, reason: expect.stringMatching(/^not JSON: /) },
      { line: 6, fields: { a: 2 } },
    ]);
  });

  test.each([
    ["within an element", '[{"a": 1},\n{"a": [', 2],
    ["behind an element", '[{"a": 1}\n', 2],
    ["behind a comma", '[{"a": 1},\n', 2],
  ])("that does not end is told: %s", (_, content, line) => {
    const rows = rowsOf(content);
    expect(rows[0]).toEqual({ line: 1, fields: { a: 1 } });
    expect(rows.at(-1)).toEqual({ line, reason: expect.stringMatching(/^not JSON: /) });
  });

  test("whatever is in it, comes out as JSON.parse reads it", () => {
    const values = fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { noNullPrototype: true }));
    const spaces = fc.constantFrom(undefined, 1, "\t");
    fc.assert(
      fc.property(values, spaces, (elements, space) => {
        const rows = rowsOf(JSON.stringify(elements, undefined, space));
        const text = JSON.stringify(elements, undefined, space);
        expect(rows.map(({ fields }) => fields)).toEqual(JSON.parse(text));
        const [last] = rows.slice(-1);
        if (space !== undefined && last !== undefined) {
          const behind = JSON.stringify(elements.at(-1), undefined, space).split("\n").length;
          expect(last.line).toBe(text.split("\n").length - behind);
        }
      }),
      { seed: 20_260_103, numRuns: 200 },
    );
  });
});

describe("a table", () => {
  test("has a row on each line behind its header, every cell a text", () => {
    expect(rowsOf('worker\titem \r\nw1\t"a"\r\n\r\nw 2\t\r\n')).toEqual([
      { line: 2, fields: { worker: "w1", item: '"a"' } },
      { line: 4, fields: { worker: "w 2", item: "" } },
    ]);
  });

  test("tells rows that are too short or too long", () => {
    expect(rowsOf("a\tb\n1\n1\t2\t3\n1\t2")).toEqual([
      { line: 2, reason: "1 column where the header has 2" },
      { line: 3, reason: "3 columns where the header has 2" },
      { line: 4, fields: { a: "1", b: "2" } },
    ]);
  });
});

test.each([
  ["an empty file", "", "it is empty"],
  ["blanks", " \n\n", "it is empty"],
  ["prose", "no metric\nat all", "no table with tabs"],
  ["one JSON object", '{\n  "a": 1\n}', "it is one JSON object"],
  ["another encoding", Buffer.from('{"a": "\xfc"}', "latin1"), "not a text in UTF-8"],
  ["a compressed file", Buffer.from([0x1f, 0x8b, 8, 0, 0]), "not a text in UTF-8"],
])("%s is refused", (_, content, message) => {
  expect(() => rowsOf(content)).toThrow(message);
});

test("a file is known by its hash, and its lines are counted with or without an end", () => {
  const content = `a\n${long}\nlast`;
  const path = file(content);
  const sha256 = createHash("sha256").update(content).digest("hex");
  expect(sourceOf(path)).toEqual({ source: { name: path.slice(folder.length + 1), sha256 }, lines: 3 });
  expect(sourceOf(file(`${content}\n`)).lines).toBe(3);
  expect(sourceOf(file("")).lines).toBe(0);
  expect([...readLines(path)].map(({ line, text }) => [line, text.length])).toEqual([
    [1, 1],
    [2, long.length],
    [3, 4],
  ]);
});

describe("columns", () => {
  test("go by several names, and an empty cell has no value", () => {
    const names = ["item", "id"] as const;
    expect(requiredText({ item: "", id: 7 }, names)).toBe("7");
    expect(() => requiredText({ item: null }, names)).toThrow("no item");
    expect(() => requiredText({ item: ["a"] }, names)).toThrow("item is not a text");
    expect(hasColumn({ id: null }, names)).toBe(true);
    expect(hasColumn({ other: 1 }, names)).toBe(false);
  });

  test.each([["NaN"], ["1e999"], ["5 ms"], [" "], [true], [[1]]])("%j is no number", (value) => {
    expect(() => numberIn({ score: value }, ["score"])).toThrow("score is not a number");
  });

  test.each([
    ["1725456558197", "2024-09-04T13:29:18.197Z"],
    [1_725_456_558, "2024-09-04T13:29:18.000Z"],
    ["2024-09-04T15:29:18+02:00", "2024-09-04T13:29:18.000Z"],
    ["2024-09-04 13:29:18.5", "2024-09-04T13:29:18.500Z"],
  ])("%j is the time %s", (value, time) => {
    expect(timeIn({ at: value }, ["at"])).toBe(time);
  });

  test.each(["soon", "2024-13-01T00:00:00Z", "2024-09-04", "NaN", "-5"])("%j is no time", (value) => {
    expect(isoTimeOf(value)).toBeUndefined();
    expect(() => timeIn({ at: value }, ["at"])).toThrow("at is no time");
  });
});

describe("the ids of streams", () => {
  test("begin with the name of the file, which labels and gold share", () => {
    expect(dataSetOf("data/bluebirds.labels.tsv")).toBe("bluebirds");
    expect(dataSetOf("data/bluebirds.gold.tsv")).toBe("bluebirds");
    expect(dataSetOf("my data.json")).toBe("my-data");
  });

  test("are the names, where an id can hold them", () => {
    expect(streamIdOf("bluebirds", "11573")).toBe("bluebirds~11573");
    expect(streamIdOf("judge", "q1", "GPT-4", "2")).toBe("judge~q1~GPT-4~2");
  });

  test("are valid, and different for different names", () => {
    const names = fc.array(
      fc.oneof(fc.string(), fc.constantFrom("a", "a~b", "#1", "-1", "x".repeat(140), "x".repeat(141))),
      {
        minLength: 1,
        maxLength: 3,
      },
    );
    fc.assert(
      fc.property(names, names, (one, other) => {
        const [a, b] = [streamIdOf("set", ...one), streamIdOf("set", ...other)];
        expect(isStreamId(a)).toBe(true);
        expect(a === b).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
      { seed: 20_260_104, numRuns: 500 },
    );
  });
});
