/** What becomes of each signal in each format, and what is left out for which reason. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { codeFingerprint } from "../../actors/datasets/code-fingerprint.ts";
import { buildDataset, type Dataset } from "../../actors/datasets/dataset.ts";
import { datasetSpec } from "../../schemas/dataset-spec.ts";
import { logOf, sampleLog, sampleTypes } from "./sample-log.ts";

const end = sampleLog.length;
const build = (spec: object, events = sampleLog, position = end): Dataset =>
  buildDataset(events, datasetSpec.parse(spec), position);
const rowsIn = ({ data }: Dataset): unknown[] =>
  data
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
const trl = { format: "trl", types: sampleTypes.pairs };
const openai = { format: "openai", types: sampleTypes.pairs };
const kto = { format: "kto", types: sampleTypes.verdicts };

test("TRL: pairs of preferences, corrections and labels that differ", () => {
  const dataset = build(trl);
  expect(rowsIn(dataset)).toEqual([
    { prompt: "1 + 1?", chosen: "two", rejected: "2" },
    { prompt: "Say \u2028 hi", chosen: "hi", rejected: "" },
    { prompt: '{"a":{"x":"é","y":null},"b":[1,2.5]}', chosen: "ham", rejected: "spam" },
    {
      prompt: [{ role: "user", content: "hey" }],
      chosen: [{ role: "assistant", content: "hello" }],
      rejected: [{ role: "assistant", content: "go away" }],
    },
    {
      prompt: [
        { role: "system", content: "be kind" },
        { role: "user", content: "hey" },
      ],
      chosen: [{ role: "assistant", content: "hello" }],
      rejected: [{ role: "assistant", content: "go" }],
    },
    { prompt: "from the signal", chosen: "E", rejected: "e" },
    // What the inference was given counts before what the signal says of it.
    { prompt: "1 + 1?", chosen: "II", rejected: "2" },
  ]);
  expect(dataset.leftOut).toEqual({ "no-bad-answer": 1, "no-prompt": 2, "same-answers": 2, tie: 1 });
  expect(dataset.shapes).toEqual({ texts: 5, messages: 2 });
});

test("TRL: all rows as messages, or all as texts", () => {
  const messages = build({ ...trl, messages: true });
  expect(messages.shapes).toEqual({ texts: 0, messages: 7 });
  expect(rowsIn(messages)[0]).toEqual({
    prompt: [{ role: "user", content: "1 + 1?" }],
    chosen: [{ role: "assistant", content: "two" }],
    rejected: [{ role: "assistant", content: "2" }],
  });
  const texts = build({ ...trl, messages: false });
  expect(texts.shapes).toEqual({ texts: 6, messages: 0 });
  expect(rowsIn(texts)[3]).toEqual({ prompt: "hey", chosen: "hello", rejected: "go away" });
  expect(texts.leftOut).toMatchObject({ conversation: 1 });
});

test("KTO: a verdict a row, a pair is two, and a rating of version 1 is read with its scale", () => {
  const dataset = build(kto);
  const b = '{"a":{"x":"é","y":null},"b":[1,2.5]}';
  expect(rowsIn(dataset).slice(0, 12)).toEqual([
    { prompt: "1 + 1?", completion: "2", label: true },
    { prompt: "1 + 1?", completion: "two", label: true },
    { prompt: "1 + 1?", completion: "2", label: false },
    { prompt: "Say \u2028 hi", completion: "hi", label: true },
    { prompt: "Say \u2028 hi", completion: "", label: false },
    { prompt: b, completion: "ham", label: true },
    { prompt: b, completion: "spam", label: false },
    { prompt: "1 + 1?", completion: "2", label: true },
    { prompt: b, completion: "spam", label: false },
    { prompt: b, completion: "spam", label: true },
    {
      prompt: [{ role: "user", content: "hey" }],
      completion: [{ role: "assistant", content: "hello" }],
      label: true,
    },
    {
      prompt: [{ role: "user", content: "hey" }],
      completion: [{ role: "assistant", content: "go away" }],
      label: false,
    },
  ]);
  expect(dataset.leftOut).toEqual({
    "no-prompt": 2,
    "no-verdict": 1,
    "prompt-elsewhere": 1,
    retracted: 1,
    "same-answers": 2,
    tie: 1,
  });
});

test("OpenAI: always messages, and what was imported in this format comes out as it was", () => {
  expect(rowsIn(build(openai))[0]).toEqual({
    input: { messages: [{ role: "user", content: "1 + 1?" }] },
    preferred_output: [{ role: "assistant", content: "two" }],
    non_preferred_output: [{ role: "assistant", content: "2" }],
  });
  const tools = [{ type: "function", function: { name: "f" } }];
  const events = logOf([
    "feedback-x",
    "PreferenceLogged",
    {
      prompt: [{ role: "user", content: "call f" }],
      chosen: [{ role: "assistant", content: "", tool_calls: [{ id: "1" }] }],
      rejected: [{ role: "assistant", content: "no" }],
      context: { inputFeatures: { tools, parallel_tool_calls: true } },
    },
  ]);
  expect(rowsIn(build(openai, events))).toEqual([
    {
      input: { messages: [{ role: "user", content: "call f" }], parallel_tool_calls: true, tools },
      preferred_output: [{ role: "assistant", content: "", tool_calls: [{ id: "1" }] }],
      non_preferred_output: [{ role: "assistant", content: "no" }],
    },
  ]);
});

test("plain: events as they were stored, their fields in a fixed order", () => {
  const dataset = build({ format: "jsonl", types: ["InferenceRequested"] });
  expect(dataset.data.split("\n")[1]).toBe(
    '{"type":"InferenceRequested","schemaVersion":1,"stream":"inference-b","occurredAt":"2026-01-01T06:00:00.000Z",' +
      '"data":{"inputFeatures":{"a":{"x":"é","y":null},"b":[1,2.5]},"modelId":"m2"}}',
  );
});

test("provenance leads from each row to its event and its interaction", () => {
  const { provenance } = build(trl);
  expect(provenance).toBe(
    [
      "row\tevent id\tposition\trequestId\tmodelId\tmodelVersion",
      "1\te4\t4\ta\tm1\tv1",
      "2\te5\t5\t\t\t",
      "3\te9\t9\tb\tm2\t",
      "4\te15\t15\t\t\t",
      "5\te16\t16\t\t\t",
      "6\te25\t25\t\t\t",
      "7\te26\t26\ta\tm1\tv1",
      "",
    ].join("\n"),
  );
  const rated = build({ format: "jsonl", types: ["UserRatedOutput", "OutputApproved"] });
  expect(rated.provenance.split("\n").slice(1)).toEqual([
    "1\te2\t2\ta\tm1\tv1",
    "2\te12\t12\tb\tm2\told",
    "3\te13\t13\tb\tm2\t",
    "",
  ]);
  const odd = logOf(["x-1", "Noted", { context: { requestId: "a\tb\\\n", modelId: 7 } }]);
  expect(build({ format: "jsonl", types: ["Noted"] }, odd).provenance).toContain("1\te1\t1\ta\\tb\\\\\\n\t\t\n");
});

test("an answer that comes after its verdict is known, and one behind the position is not", () => {
  const approved = { format: "kto", types: ["OutputApproved"] };
  expect(rowsIn(build(approved, sampleLog, 3))).toHaveLength(1);
  expect(build(approved, sampleLog, 2)).toMatchObject({ rowCount: 0, leftOut: { "no-answer": 1 } });
});

test("the spec says where prompt and answer are", () => {
  const spec = { ...kto, types: ["UserRatedOutput"], promptFrom: "inputFeatures.a.x", outputFrom: "output.why" };
  expect(rowsIn(build(spec))).toEqual([
    { prompt: "é", completion: "!", label: false },
    { prompt: "é", completion: "!", label: true },
  ]);
  expect(build({ ...spec, promptFrom: "inputFeatures.none" }).leftOut).toEqual({ "no-prompt": 2 });
});

test("a condition holds for what is there, by value, list, range and beginning; times are of the world", () => {
  const positions = (more: object): number[] =>
    build({ format: "jsonl", types: sampleTypes.verdicts, ...more })
      .provenance.split("\n")
      .slice(1, -1)
      .map((line) => Number(line.split("\t")[2]));
  expect(positions({ where: { "data.modelId": "m2" } })).toEqual([9, 21]);
  expect(positions({ where: { "data.annotator": { in: ["bob", "eve"] } } })).toEqual([6]);
  expect(positions({ where: { "data.rating": { gte: 2, lt: 9 } } })).toEqual([12]);
  expect(positions({ where: { "data.rating": { gt: "1" } } })).toEqual([]);
  // Version 1 has no scale of its own: it is read as today's.
  expect(positions({ where: { "data.scale.max": { lte: 5 } } })).toEqual([12]);
  expect(positions({ where: { stream: { prefix: "feedback-c" } } })).toEqual([15, 16, 17]);
  expect(positions({ where: { "data.chosen.role": "user" } })).toEqual([]);
  expect(positions({ where: { "data.tie": { eq: true } }, categories: ["inference"] })).toEqual([]);
  expect(positions({ since: "2026-01-01T03:00:00+02:00", until: "2026-01-01T04:00:00Z" })).toEqual([2, 4]);
});

test.each<[string, object, string, string]>([
  ["an unknown field", { ...trl, extra: 1 }, "", "extra"],
  ["an unknown format", { ...trl, format: "csv" }, "format", "trl"],
  ["no types", { ...trl, types: [] }, "types", ">=1"],
  ["a type that gives no row", { ...trl, types: ["OutputApproved"] }, "types.0", "never becomes a row of trl"],
  ["a condition on no field of an event", { ...trl, where: { annotator: "x" } }, "where.annotator", "data.annotator"],
  ["a condition without bounds", { ...trl, where: { "data.x": {} } }, "where.data.x", ""],
  ["a time that is none", { ...trl, since: "yesterday" }, "since", "ISO 8601"],
])("a spec with %s is refused by its path", (_, spec, path, reason) => {
  const issues = datasetSpec.safeParse(spec).error?.issues ?? [];
  expect(issues.map((issue) => issue.path.join("."))).toContain(path);
  expect(JSON.stringify(issues)).toContain(reason);
});

test("the rows are those that the fingerprint of the code stands for", () => {
  const hash = createHash("sha256");
  const specs = [trl, { ...trl, messages: true }, { ...trl, messages: false }, openai, kto];
  for (const spec of [...specs, { format: "jsonl", types: sampleTypes.verdicts }]) {
    const { data, provenance } = build(spec);
    hash.update(data).update(provenance);
  }
  const digest = hash.digest("hex").slice(0, 12);
  // Where it differs, datasets of before cannot be built again with the same bytes: count the version up.
  expect(codeFingerprint).toBe(`rows-1-${digest}`);
});
