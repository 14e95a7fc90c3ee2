/** `retrace import` of rows against a built runtime: nothing twice, nothing lost, whatever happens on the way. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { counted } from "../../actors/verbs/print/counted.ts";
import { cli, type Ended } from "./built-cli.ts";
import { ImportSetting } from "./import-setting.ts";

const setting = new ImportSetting("ratings");

function importRows(...args: readonly string[]): Promise<Ended> {
  return cli("import", ...args, "--nats", setting.nats);
}

const outputs = 600;

/** Scores of the outputs of one model, row after row, so that each of its streams is in all parts of the file. */
function scoresOf(name: string, rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => `m1\t${i % outputs}\tr${i % 7}\t${i % 101}`);
  return setting.write(name, ["model\tsegment\trater\tscore", ...lines]);
}

describe("an import that ends early", () => {
  const rows = 12_000;
  const scores = () => scoresOf("scores.tsv", rows);
  const scale = ["--scale", "0,100"];
  const summary = (newEvents: number) =>
    `scores.tsv: ${rows} rows: ${counted(newEvents, "new event")}, ${counted(rows - newEvents, "row")} already there, 0 bad rows\n`;

  test("because it is killed again and again, ends like one that was left alone", async () => {
    const file = scores();
    expect(await setting.import(...scale, "--id-prefix", "alone", file)).toMatchObject({
      code: 0,
      stdout: summary(rows),
    });

    const start = await setting.head();
    await setting.killAt([500, 3_000, 6_000], ...scale, "--id-prefix", "killed", file);
    const [last] = await setting.json(...scale, "--id-prefix", "killed", file);
    expect(last).toMatchObject({ rows, badRows: 0 });
    // What was on its way to the runtime when the last one was killed may have come in.
    expect(last?.newEvents).toBe(rows - (last?.alreadyThere as number));
    expect(last?.alreadyThere).toBeGreaterThan(6_000);
    expect((await setting.head()) - start).toBe(rows);
    for (let segment = 0; segment < outputs; segment += 17) {
      const killed = await setting.content("feedback", `killed~${segment}~m1`);
      expect(killed).toHaveLength(rows / outputs);
      expect(killed).toEqual(await setting.content("feedback", `alone~${segment}~m1`));
    }
  });

  test("because it is interrupted, says how far it got, and goes on from there", async () => {
    const file = scores();
    const start = await setting.head();
    const { child, ended } = setting.start(...scale, "--id-prefix", "cut", "--json", file);
    while ((await setting.head()) < start + 2_000);
    child.kill("SIGINT");
    const { code, stdout, stderr } = await ended;
    const outcome = JSON.parse(stdout);
    const { newEvents, stopped } = outcome;
    expect(code).toBe(1);
    expect(outcome).toMatchObject({ file, rows: newEvents, alreadyThere: 0, badRows: 0 });
    expect(stopped).toEqual({ line: newEvents + 1, reason: "interrupted" });
    expect(stderr).toBe(`${file}:${stopped.line}: stopped here: interrupted; import again to go on\n`);
    expect((await setting.head()) - start).toBe(newEvents);
    expect(newEvents).toBeLessThan(rows);
    expect((await setting.import(...scale, "--id-prefix", "cut", file)).stdout).toBe(summary(rows - newEvents));
  });

  test("or that runs beside another of the same file, brings every row once", async () => {
    const file = scores();
    const start = await setting.head();
    const two = ["beside", "beside"].map((prefix) => setting.import(...scale, "--id-prefix", prefix, file));
    for (const { code, stderr } of await Promise.all(two)) expect([code, stderr]).toEqual([0, ""]);
    expect((await setting.head()) - start).toBe(rows);
    expect(await setting.content("feedback", "beside~5~m1")).toEqual(await setting.content("feedback", "alone~5~m1"));
  });
});

test("bad rows are told with file and line, the others come in, and the exit code says so", async () => {
  const vote = '"prompt": "p", "rejected": "b"';
  const file = setting.write("bad.jsonl", [
    `{${vote}, "chosen": "a"}`,
    `{${vote}, "chosen": NaN}`,
    `{${vote}}`,
    `{${vote}, "chosen": "a", "annotator": "${"x".repeat(300)}"}`,
    `{${vote}, "chosen": "${"a".repeat(300_000)}"}`,
    `{${vote}, "chosen": "c", "id": 1}`,
  ]);
  const { code, stdout, stderr } = await importRows("preferences", file);
  expect(code).toBe(1);
  const told = stderr.trimEnd().split("\n");
  expect(told).toEqual([
    expect.stringContaining(`${file}:2: not JSON: `),
    `${file}:3: chosen is missing`,
    expect.stringMatching(/:4: .*annotator/),
    expect.stringMatching(/:5: the body has \d+ bytes, 262144 are allowed/),
  ]);
  expect(stdout).toBe("bad.jsonl: 6 rows: 2 new events, 0 rows already there, 4 bad rows\n");
  expect(await setting.content("feedback", "bad~1")).toMatchObject([
    { type: "PreferenceLogged", data: { chosen: "a", source: { name: "bad.jsonl" }, sourceLine: 1 } },
    { type: "PreferenceLogged", data: { chosen: "c", sourceLine: 6 } },
  ]);

  const again = await importRows("preferences", file);
  expect(again.stderr.trimEnd().split("\n")).toHaveLength(4);
  expect(again).toMatchObject({
    code: 1,
    stdout: "bad.jsonl: 6 rows: 0 new events, 2 rows already there, 4 bad rows\n",
  });
});

test("other content under the name of a file that came in before is refused; under other ids it comes in", async () => {
  const file = scoresOf("grown.tsv", 10);
  const options = ["ratings", "--scale", "0,100"];
  await importRows(...options, file);
  const position = await setting.head();
  scoresOf("grown.tsv", 12);
  const { code, stdout, stderr } = await importRows(...options, "--json", file);
  expect(code).toBe(1);
  expect(stderr).toContain(`${file}: grown.tsv was imported with other content`);
  expect(JSON.parse(stdout)).toEqual({ file, error: expect.stringContaining("with other content") });
  expect(await setting.head()).toBe(position);
  expect((await importRows(...options, "--id-prefix", "grown-2", file)).code).toBe(0);
  expect(await setting.head()).toBe(position + 12);
});

test("a file that fails does not keep the others out", async () => {
  const good = setting.write("good.tsv", ["item\tworker\ttext", "1\tw1\tthe"]);
  const none = join(setting.folder, "none.tsv");
  const prose = setting.write("prose.tsv", ["no table"]);
  const { code, stdout, stderr } = await importRows("corrections", none, prose, good);
  expect(code).toBe(1);
  expect(stdout).toBe("good.tsv: 1 row: 1 new event, 0 rows already there, 0 bad rows\n");
  expect(stderr).toContain(`${none}: ENOENT`);
  expect(stderr).toContain(`${prose}: it is no table with tabs`);
});

test("rows that tell no time happened when the command line says, and those that do, then", async () => {
  const file = setting.write("times.jsonl", [
    '{"id": 1, "model": "m1", "prediction": "cat", "label": "dog"}',
    '{"id": 2, "model": "m1", "prediction": "cat", "timestamp": "2025-05-05T05:05:05Z"}',
    '{"id": 3, "model": "m1", "prediction": "cat", "timestamp": "2999-01-01T00:00:00Z"}',
  ]);
  const { code, stderr } = await importRows("predictions", "--occurred-at", "2024-02-03T04:05:06.000Z", file);
  expect(code).toBe(1);
  expect(stderr).toMatch(/:3: Retrace-Occurred-At is more than 5 minutes in the future/);
  const times = async (id: number) =>
    (await setting.client.history("inference", `times~${id}~m1`)).events.map(({ occurredAt }) => occurredAt);
  expect(await times(1)).toEqual(Array(3).fill("2024-02-03T04:05:06.000Z"));
  expect(await times(2)).toEqual(Array(2).fill("2025-05-05T05:05:05.000Z"));
});

test.each([
  ["no file", ["preferences"]],
  ["a prefix that is none", ["corrections", "--id-prefix", "a b", "a.tsv"]],
  ["a time that is none", ["ratings", "--occurred-at", "yesterday", "a.tsv"]],
  ["a scale that is none", ["ratings", "--scale", "6,0", "a.tsv"]],
  ["a format that is none", ["predictions", "--format", "csv", "a.tsv"]],
])("wrong usage: %s", async (_, args) => {
  const { code, stdout, stderr } = await importRows(...args);
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toContain("error: ");
});

test.each(["preferences", "corrections", "ratings", "predictions"])("%s has help with an example", async (kind) => {
  const { code, stdout } = await cli("import", kind, "--help");
  expect(code).toBe(0);
  expect(stdout).toContain(`Example:\n  $ retrace import ${kind} `);
});
