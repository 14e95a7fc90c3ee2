/** `retrace import crowd-labels`: the reader, the commands, and a built runtime, with counts made independently. */

import { readFileSync, rmSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { reviewsOf } from "../../actors/verbs/import/crowd-labels-commands.ts";
import { type CrowdLabels, readCrowdLabels } from "../../actors/verbs/import/crowd-labels-read.ts";
import { ImportRefused } from "../../actors/verbs/import/refused.ts";
import { counted } from "../../actors/verbs/print/counted.ts";
import { review } from "../../schemas/review.ts";
import { absentFile, ImportSetting, realFile, tableOf } from "./import-setting.ts";

const setting = new ImportSetting("crowd-labels");

const header = "worker\titem\tlabel";
const source = { name: "birds.labels.tsv", sha256: "ab".repeat(32) };

interface Told {
  readonly labels: CrowdLabels;
  readonly problems: readonly string[];
}

function read(lines: readonly string[], gold?: readonly string[], isFreeText = false): Told {
  const problems: string[] = [];
  const labels = setting.write("read.labels.tsv", lines);
  const files = { labels, isFreeText, ...(gold && { gold: setting.write("read.gold.tsv", gold) }) };
  const onProblem = (line: number, reason: string, file = "labels") => {
    problems.push(`${file.replace(/.*\//, "")}:${line}: ${reason}`);
  };
  return { labels: readCrowdLabels(files, onProblem), problems };
}

describe("reading", () => {
  test("gives each item its votes in the order of the file, with lines, however they are mixed", () => {
    const { labels, problems } = read([header, "w1\ta\tyes", "w1\tb\tno", "w2\ta\tno", "", "w3\tb\tno"]);
    expect(problems).toEqual([]);
    expect(labels).toEqual({
      items: [
        {
          item: "a",
          votes: [
            { line: 2, reviewer: "w1", label: "yes" },
            { line: 4, reviewer: "w2", label: "no" },
          ],
        },
        {
          item: "b",
          votes: [
            { line: 3, reviewer: "w1", label: "no" },
            { line: 6, reviewer: "w3", label: "no" },
          ],
        },
      ],
      options: ["no", "yes"],
      rows: 4,
      goldWithoutVotes: 0,
    });
  });

  test("takes effort, comments and times along, and other names of columns", () => {
    const { labels } = read([
      "timestamp\tannotator\ttask\tresponse\teffort_ms\tcomment",
      "2024-05-05T05:05:05Z\tada\tq1\tcat\t5200\twhiskers",
      "\tbob\tq1\tdog\t\t",
    ]);
    expect(labels.items[0]?.votes).toEqual([
      {
        line: 2,
        reviewer: "ada",
        label: "cat",
        effortMs: 5200,
        comment: "whiskers",
        at: "2024-05-05T05:05:05.000Z",
      },
      { line: 3, reviewer: "bob", label: "dog" },
    ]);
  });

  test("reads JSON lines, whose labels may be numbers", () => {
    const { labels } = read(['{"worker": 7, "item": "a", "label": 0}', '{"worker": 8, "item": "a", "label": 1}']);
    expect(labels.options).toEqual(["0", "1"]);
    expect(labels.items[0]?.votes.map(({ reviewer, label }) => [reviewer, label])).toEqual([
      ["7", "0"],
      ["8", "1"],
    ]);
  });

  test("tells bad rows by line, and leaves them out", () => {
    const { labels, problems } = read([
      header,
      "w1\ta\tyes",
      "w1\ta\tno",
      "w2\ta",
      "\ta\tyes",
      "w3\t\tyes",
      "w4\ta\t",
      `${"w".repeat(129)}\ta\tyes`,
      `w5\ta\t${"y".repeat(4097)}`,
      "w6\ta\ty\u0001s",
      "__proto__\ta\tyes",
      "w7\ta\tyes",
    ]);
    expect(labels.items[0]?.votes.map(({ line }) => line)).toEqual([2, 12]);
    expect(labels.rows).toBe(11);
    expect(problems).toEqual([
      "labels:3: w1 labelled a before, on line 2; everybody votes once",
      "labels:4: 2 columns where the header has 3",
      "labels:5: no worker",
      "labels:6: no item",
      "labels:7: no label",
      expect.stringMatching(/^labels:8: reviewer: /),
      expect.stringMatching(/^labels:9: label: /),
      "labels:10: label: a text without control characters",
      "labels:11: reviewer: a name without control characters",
    ]);
  });

  test("gives items their gold label, and counts the gold that nobody has voted on", () => {
    const gold = ["item\tgold", "a\tyes", "b\tmaybe", "c\tno", "a\tyes", "a\tno", "b"];
    const { labels, problems } = read([header, "w1\ta\tyes", "w1\tb\tno"], gold);
    expect(labels.items.map(({ gold }) => gold)).toEqual(["yes", "maybe"]);
    expect(labels.options).toEqual(["maybe", "no", "yes"]);
    expect(labels.goldWithoutVotes).toBe(1);
    expect(problems).toEqual([
      "read.gold.tsv:6: the gold label of a is another on line 2",
      "read.gold.tsv:7: 1 column where the header has 2",
    ]);
  });

  test("takes few labels as options, and many, long or wanted ones as free text", () => {
    const labels = (count: number) => Array.from({ length: count }, (_, i) => `w${i}\ta\tlabel ${i}`);
    expect(read([header, ...labels(50)]).labels.options).toHaveLength(50);
    expect(read([header, ...labels(51)]).labels.options).toBeUndefined();
    expect(read([header, `w1\ta\t${"y".repeat(257)}`]).labels.options).toBeUndefined();
    expect(read([header, "w1\ta\tyes"], undefined, true).labels.options).toBeUndefined();
  });

  test("refuses a file of other columns", () => {
    expect(() => read(["item\tgold", "a\tyes"])).toThrow(ImportRefused);
    expect(() => read(["item\tgold", "a\tyes"])).toThrow("line 2 has no worker and no label");
  });
});

describe("commands", () => {
  const votes = (count: number, change: (index: number) => object = () => ({})) =>
    Array.from({ length: count }, (_, i) => ({ line: i + 2, reviewer: `w${i}`, label: "yes", ...change(i) }));
  const set = { dataSet: "birds", source, options: ["no", "yes"] };
  const limits = { k: review.commands.RequestReview, labels: review.commands.RecordLabels };

  test("ask for as many votes as there are, and cast them with their lines", () => {
    const [made, ...others] = reviewsOf({ item: "x 1", votes: votes(2), gold: "no" }, set);
    const options = { correlationId: `import-${source.sha256}` };
    expect(others).toEqual([]);
    expect(made).toEqual({
      id: "birds~x-1~494bfc9d",
      request: {
        category: "review",
        id: "birds~x-1~494bfc9d",
        command: {
          type: "RequestReview",
          data: {
            subject: { category: "item", id: "birds/x 1" },
            taskKind: "birds",
            options: ["no", "yes"],
            gold: "no",
            k: 2,
            source,
            sourceLine: 2,
          },
        },
        options,
      },
      votes: [
        {
          category: "review",
          id: "birds~x-1~494bfc9d",
          command: {
            type: "RecordLabels",
            data: {
              labels: [
                { reviewer: "w0", label: "yes", sourceLine: 2, sourcePart: 2 },
                { reviewer: "w1", label: "yes", sourceLine: 3 },
              ],
              source,
            },
          },
          options,
          lines: [2, 3],
        },
      ],
      votedAt: options,
      lines: [2, 3],
      hasGold: true,
    });
  });

  test.each([
    [100, set, [100]],
    [101, set, [100, 1]],
    [250, set, [100, 100, 50]],
    [21, { dataSet: "birds", source }, [20, 1]],
  ])("make several reviews of %d votes, where a review may not have so many", (count, in_, sizes) => {
    const reviews = reviewsOf({ item: "a", votes: votes(count) }, in_);
    expect(reviews.map(({ id }) => id)).toEqual(["birds~a", "birds~a~2", "birds~a~3"].slice(0, sizes.length));
    expect(reviews.map(({ lines }) => lines.length)).toEqual(sizes);
    expect(reviews.flatMap(({ lines }) => lines)).toEqual(votes(count).map(({ line }) => line));
    for (const { request, votes } of reviews) {
      const { subject, k } = request.command.data as { subject: object; k: number };
      expect(subject).toEqual({ category: "item", id: "birds/a" });
      expect(limits.k.safeParse(request.command.data).success).toBe(true);
      expect(limits.k.safeParse({ ...(request.command.data as object), k: k + 100 }).success).toBe(false);
      for (const { command } of votes) expect(limits.labels.safeParse(command.data).success).toBe(true);
    }
  });

  test("carry the times of the votes, or the one that was given", () => {
    const at = (index: number) => (index === 0 ? {} : { at: `2024-01-0${index < 3 ? 1 : 2}T00:00:00.000Z` });
    const given = "2023-01-01T00:00:00.000Z";
    const [made] = reviewsOf({ item: "a", votes: votes(5, at) }, { ...set, occurredAt: given });
    expect(made?.request.options?.occurredAt).toBe("2024-01-01T00:00:00.000Z");
    expect(made?.votes.map(({ lines, options }) => [lines, options?.occurredAt])).toEqual([
      [[2], given],
      [[3, 4], "2024-01-01T00:00:00.000Z"],
      [[5, 6], "2024-01-02T00:00:00.000Z"],
    ]);
    expect(made?.votedAt.occurredAt).toBe("2024-01-02T00:00:00.000Z");
  });

  test("stay below the size of the largest event", () => {
    const long = (index: number) => ({ label: `${index} ${"あ".repeat(4000)}`, comment: "あ".repeat(4000) });
    const [made] = reviewsOf({ item: "a", votes: votes(20, long) }, { dataSet: "birds", source });
    expect(made?.votes.flatMap(({ lines }) => lines)).toHaveLength(20);
    for (const { command } of made?.votes ?? []) {
      expect(Buffer.byteLength(JSON.stringify(command.data))).toBeLessThan(256 * 1024);
    }
  });

  test("name the subject as far as it can be named", () => {
    const [made] = reviewsOf({ item: "a".repeat(300), votes: votes(1) }, set);
    expect(made?.request.command.data).toMatchObject({ subject: { id: made?.id } });
    expect(made?.id).toMatch(/^birds~a{110,}~[0-9a-f]{8}$/);
  });
});

const birds = ["w1\ta\tyes", "w1\tb\tno", "w2\ta\tyes", "w2\tb\tyes", "w3\ta\tno"];

function summary(counts: { rows: number; reviews?: string; events?: number; there?: number; bad?: number }): string {
  const { rows, reviews = "0 new reviews (0 with gold)", events = 0, there = 0, bad = 0 } = counts;
  return `${counted(rows, "row")}: ${reviews}, ${counted(events, "new event")}, ${counted(there, "row")} already there, ${counted(bad, "bad row")}\n`;
}

describe("against a runtime", () => {
  test("each item becomes a review with its votes, and a second time adds nothing", async () => {
    const file = setting.write("birds.labels.tsv", [header, ...birds]);
    setting.write("birds.gold.tsv", ["item\tgold", "a\tyes"]);
    const first = await setting.import(file);
    expect(first).toEqual({
      code: 0,
      stderr: "",
      stdout: `birds.labels.tsv: ${summary({ rows: 5, reviews: "2 new reviews (1 with gold)", events: 12 })}`,
    });
    const about = { subject: { category: "item", id: "birds/a" }, taskKind: "birds" };
    const events = await setting.content("review", "birds~a");
    expect(events).toEqual([
      {
        type: "HumanReviewRequested",
        data: {
          ...about,
          options: ["no", "yes"],
          gold: "yes",
          k: 3,
          maxK: 3,
          source: { name: "birds.labels.tsv", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
          sourceLine: 2,
        },
      },
      { type: "ReviewClaimed", data: "w1" },
      {
        type: "HumanLabelSubmitted",
        data: { reviewer: "w1", label: "yes", sourceLine: 2, sourcePart: 2, ...about },
      },
      { type: "ReviewClaimed", data: "w2" },
      { type: "HumanLabelSubmitted", data: { reviewer: "w2", label: "yes", sourceLine: 4, ...about } },
      { type: "ReviewClaimed", data: "w3" },
      { type: "HumanLabelSubmitted", data: { reviewer: "w3", label: "no", sourceLine: 6, ...about } },
    ]);
    expect((await setting.client.state("review", "birds~a")).state.value).toBe("voted");

    const position = await setting.head();
    const second = await setting.import(file);
    expect(second).toMatchObject({ code: 0, stdout: `birds.labels.tsv: ${summary({ rows: 5, there: 5 })}` });
    expect(await setting.head()).toBe(position);
  });

  test("reviews are closed by majority on request, also later, and a tie is disputed", async () => {
    const file = setting.write("close.labels.tsv", [header, ...birds]);
    const [first] = await setting.json("--close", "majority", "--id-prefix", "closed", file);
    expect(first).toMatchObject({ newReviews: 2, newVotes: 5, closed: 2, newEvents: 14 });
    expect((await setting.content("review", "closed~a")).at(-1)).toMatchObject({
      type: "ReviewConsensusReached",
      data: { method: "majority", label: "yes", votes: [{}, {}, {}] },
    });
    expect((await setting.content("review", "closed~b")).at(-1)?.type).toBe("ReviewDisputed");

    expect(await setting.json(file)).toMatchObject([{ closed: 0, newEvents: 12 }]);
    expect(await setting.json("--close", "majority", file)).toMatchObject([
      { closed: 2, newEvents: 2, alreadyThere: 5 },
    ]);
    expect(await setting.json("--close", "majority", file)).toMatchObject([
      { closed: 0, newEvents: 0, alreadyThere: 5 },
    ]);
  });

  test("votes that tell when they were cast happened then", async () => {
    const file = setting.write("times.jsonl", [
      '{"worker": "w1", "item": "a", "label": "x", "timestamp": "2024-01-01T10:00:00+02:00"}',
      '{"worker": "w2", "item": "a", "label": "x", "timestamp": "2024-01-02T00:00:00Z"}',
    ]);
    expect((await setting.import("--close", "majority", file)).code).toBe(0);
    const times = (await setting.history("review", "times~a")).map(({ occurredAt }) => occurredAt);
    const [first, second] = ["2024-01-01T08:00:00.000Z", "2024-01-02T00:00:00.000Z"];
    expect(times).toEqual([first, first, first, second, second, second]);
  });

  test("bad rows are told with file and line, the others come in, and the exit code says so", async () => {
    const file = setting.write("bad.labels.tsv", [header, ...birds, "w1\ta\tno", "w9\tb"]);
    const gold = setting.write("bad.gold.tsv", ["item\tgold", "a\tyes", "b"]);
    for (const there of [0, 5]) {
      const { code, stdout, stderr } = await setting.import(file);
      expect(code).toBe(1);
      expect(stderr.trimEnd().split("\n")).toEqual([
        `${file}:7: w1 labelled a before, on line 2; everybody votes once`,
        `${file}:8: 2 columns where the header has 3`,
        `${gold}:3: 1 column where the header has 2`,
      ]);
      const news = there === 0 ? { reviews: "2 new reviews (1 with gold)", events: 12 } : {};
      expect(stdout).toBe(`bad.labels.tsv: ${summary({ rows: 7, ...news, there, bad: 2 })}`);
    }
  });

  test("a review that is somebody else's takes no votes, and the other items come in", async () => {
    await setting.client.send("review", "others~a", { type: "RequestReview", data: { k: 5 } });
    const file = setting.write("others.labels.tsv", [header, ...birds]);
    const { code, stdout, stderr } = await setting.import(file);
    expect(code).toBe(1);
    expect(stderr.match(/^.*:\d+: review others~a: .*$/gm)?.map((line) => /:(\d+): /.exec(line)?.[1])).toEqual([
      "2",
      "4",
      "6",
    ]);
    expect(stdout).toBe(
      `others.labels.tsv: ${summary({ rows: 5, reviews: "1 new review (0 with gold)", events: 5, bad: 3 })}`,
    );
    expect(await setting.content("review", "others~a")).toHaveLength(1);
  });

  test("other content under the name of a file that came in before is refused; under other ids it comes in", async () => {
    const file = setting.write("grown.labels.tsv", [header, ...birds]);
    await setting.import(file);
    const position = await setting.head();
    setting.write("grown.labels.tsv", [header, ...birds, "w4\tz\tyes"]);
    const { code, stderr } = await setting.import(file);
    expect(code).toBe(1);
    expect(stderr).toContain(`${file}: grown.labels.tsv was imported with other content`);
    expect(await setting.head()).toBe(position);
    expect(await setting.json("--id-prefix", "grown-2", file)).toMatchObject([{ newReviews: 3, newVotes: 6 }]);
  });

  test("gold labels come from where the command line says, or not at all", async () => {
    const file = setting.write("gold.labels.tsv", [header, ...birds]);
    const gold = setting.write("elsewhere.tsv", ["item\tgold", "a\tno", "zoo\tyes"]);
    expect(await setting.json("--gold", gold, file)).toMatchObject([{ withGold: 1, goldWithoutVotes: 1 }]);
    expect(await setting.json("--id-prefix", "none", file)).toMatchObject([{ withGold: 0, goldWithoutVotes: 0 }]);
    const beside = setting.write("gold.gold.tsv", ["item\tgold", "a\tno", "b\tyes"]);
    const both = await setting.json("--id-prefix", "beside", file, beside);
    expect(both).toMatchObject([{ file, withGold: 2 }]);
    rmSync(beside);
  });

  const items = 1_500;
  const workers = 4;
  /** Worker after worker, so that each review is in all parts of the file. */
  const crowd = () =>
    setting.write("crowd.labels.tsv", [
      header,
      ...Array.from({ length: items * workers }, (_, i) => {
        return `w${Math.floor(i / items)}\ti${i % items}\t${(i * 7) % 3 === 0 ? "yes" : "no"}`;
      }),
    ]);

  test("an import that is killed again and again ends like one that was left alone", async () => {
    const file = crowd();
    const events = items * (1 + 2 * workers);
    expect(await setting.json("--id-prefix", "alone", file)).toMatchObject([{ newEvents: events }]);
    const start = await setting.head();
    await setting.killAt([300, 1_200, 4_000], "--id-prefix", "killed", file);
    const before = (await setting.head()) - start;
    expect(before).toBeLessThanOrEqual(events);
    expect(await setting.json("--id-prefix", "killed", file)).toMatchObject([
      { newEvents: events - before, badRows: 0, rows: items * workers },
    ]);
    expect((await setting.head()) - start).toBe(events);
    for (let item = 0; item < items; item += 37) {
      const alone = JSON.stringify(await setting.content("review", `alone~i${item}`));
      const killed = await setting.content("review", `killed~i${item}`);
      expect(killed).toHaveLength(1 + 2 * workers);
      expect(killed).toEqual(JSON.parse(alone.replaceAll("alone", "killed")));
    }
  });

  test("two imports of one file at once bring every vote once", async () => {
    const file = crowd();
    const start = await setting.head();
    const both = ["beside", "beside"].map((prefix) => setting.import("--id-prefix", prefix, file));
    for (const { code, stderr } of await Promise.all(both)) expect([code, stderr]).toEqual([0, ""]);
    expect((await setting.head()) - start).toBe(items * (1 + 2 * workers));
  });

  test("an import that is interrupted says how far it got, and goes on from there", async () => {
    const file = crowd();
    const start = await setting.head();
    const { child, ended } = setting.start("--id-prefix", "cut", "--json", file);
    while ((await setting.head()) < start + 100);
    child.kill("SIGINT");
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(1);
    const { newReviews, newVotes, stopped } = JSON.parse(stdout);
    expect(newVotes).toBeLessThan(items * workers);
    expect(stopped).toEqual({ line: expect.any(Number), reason: "interrupted" });
    expect(stderr).toBe(`${file}:${stopped.line}: stopped here: interrupted; import again to go on\n`);
    expect(await setting.json("--id-prefix", "cut", file)).toMatchObject([
      { newReviews: items - newReviews, newVotes: items * workers - newVotes, alreadyThere: newVotes },
    ]);
    expect((await setting.head()) - start).toBe(items * (1 + 2 * workers));
  });
});

test.each([
  ["no file", []],
  ["gold for two files", ["--gold", "g.tsv", "a.tsv", "b.tsv"]],
  ["a method of closing that is none", ["--close", "dice", "a.tsv"]],
  ["a prefix that is none", ["--id-prefix", "a b", "a.tsv"]],
  ["a time that is none", ["--occurred-at", "yesterday", "a.tsv"]],
])("wrong usage: %s", async (_, args) => {
  const { code, stdout, stderr } = await setting.import(...args);
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toContain("error: ");
});

test("has help with an example", async () => {
  const { code, stdout } = await setting.import("--help");
  expect(code).toBe(0);
  expect(stdout).toContain("Example:\n  $ retrace import crowd-labels ");
});

/** The third one, with 28,000 votes, comes in with `npm run torture -- fan-in`. */
const sets = ["bluebirds", "snow_rte"];
const absent = absentFile(sets.map((name) => `crowd-labels/${name}.labels.tsv`));

interface Data {
  readonly subject: { readonly id: string };
  readonly taskKind: string;
  readonly options?: readonly string[];
  readonly gold?: string;
  readonly reviewer?: string;
  readonly label?: string;
  readonly sourceLine: number;
}

describe.skipIf(absent !== undefined)("real labels", () => {
  test.each(sets)("%s comes in whole, and a second time adds nothing", async (name) => {
    const file = realFile(`crowd-labels/${name}.labels.tsv`);
    const rows = tableOf(file);
    const items = new Set(rows.map(({ item }) => item));
    const gold = new Map(tableOf(file.replace(".labels.", ".gold.")).map(({ item, gold }) => [item, gold]));
    const [first] = await setting.json(file);
    expect(first).toMatchObject({
      rows: rows.length,
      newVotes: rows.length,
      newReviews: items.size,
      withGold: gold.size,
      newEvents: items.size + 2 * rows.length,
      alreadyThere: 0,
      badRows: 0,
      goldWithoutVotes: 0,
    });

    const events = (await setting.eventsOf(file)) as { type: string; data: Data }[];
    const position = await setting.head();
    const requested = events.filter(({ type }) => type === "HumanReviewRequested");
    const labels = [...new Set(rows.map(({ label }) => label))].sort();
    expect(new Set(requested.map(({ data }) => data.subject.id.slice(name.length + 1)))).toEqual(items);
    for (const { data } of requested) {
      const item = data.subject.id.slice(name.length + 1);
      expect([data.gold, data.options, data.taskKind]).toEqual([gold.get(item), labels, name]);
    }
    const lines = readFileSync(file, "utf8").split("\n");
    const voted = events.filter(({ type }) => type === "HumanLabelSubmitted");
    expect(voted).toHaveLength(rows.length);
    expect(new Set(voted.map(({ data }) => data.sourceLine)).size).toBe(rows.length);
    for (const { data } of voted) {
      const item = data.subject.id.slice(name.length + 1);
      expect(`${data.reviewer}\t${item}\t${data.label}`).toBe(lines[data.sourceLine - 1]);
    }
    expect(events.filter(({ type }) => type === "ReviewClaimed")).toHaveLength(rows.length);

    expect(await setting.json(file)).toMatchObject([{ newEvents: 0, alreadyThere: rows.length, badRows: 0 }]);
    expect(await setting.head()).toBe(position);
  });
});
