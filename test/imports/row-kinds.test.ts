/** What each kind of rows becomes: which commands, for which streams, and which rows are told as bad. */
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Client } from "retrace";
import { describe, expect, test } from "vitest";
import { corrections } from "../../actors/verbs/import/corrections.ts";
import type { FileImport, FilesOptions } from "../../actors/verbs/import/files-verb.ts";
import { predictions } from "../../actors/verbs/import/predictions.ts";
import { preferences } from "../../actors/verbs/import/preferences.ts";
import { ratings } from "../../actors/verbs/import/ratings.ts";
import { tempDir } from "../support/temp.ts";

interface Sent {
  readonly category: string;
  readonly id: string;
  readonly command: { readonly type: string; readonly data: Record<string, unknown> };
  readonly options: { readonly occurredAt?: string };
}

/** A runtime that takes everything. */
function takingAll(sent: Sent[]): Client {
  const reply = { events: [{}] };
  return {
    async *sendMany(commands: Iterable<Sent>) {
      for (const command of commands) {
        sent.push(command);
        yield { command, reply };
      }
    },
  } as unknown as Client;
}

const folder = tempDir("retrace-kinds-");

function write(name: string, content: string | readonly object[]): string {
  const path = join(folder, name);
  writeFileSync(
    path,
    typeof content === "string" ? content : content.map((row) => `${JSON.stringify(row)}\n`).join(""),
  );
  return path;
}

interface Brought {
  /** `stream Type`, the data without the file, and the time where one is told. */
  readonly sent: readonly { readonly to: string; readonly data: unknown; readonly at?: string }[];
  readonly problems: readonly string[];
  readonly counts: Readonly<Record<string, unknown>>;
}

async function bring<Options>(kind: FileImport<Options>, file: string, options: object = {}): Promise<Brought> {
  const sent: Sent[] = [];
  const problems: string[] = [];
  const { counts } = await kind.bring(takingAll(sent), file, {
    options: options as Options & FilesOptions,
    isInterrupted: () => false,
    onProblem: (line, reason) => problems.push(`${line}: ${reason}`),
    onTotal: () => {},
    onDone: () => {},
  });
  return {
    sent: sent.map(({ category, id, command: { type, data }, options: { occurredAt } }) => {
      const { source, ...rest } = data as { source: { name: string } };
      expect(source).toEqual({ name: basename(file), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
      return { to: `${category}-${id} ${type}`, data: rest, ...(occurredAt !== undefined && { at: occurredAt }) };
    }),
    problems,
    counts,
  };
}

describe("preferences of PandaLM", () => {
  const item = {
    idx: 7,
    motivation_app: "Grammarly",
    cmp_key: "a-7b_b-7b",
    instruction: "Rewrite it.",
    input: "teh cat",
    response1: "the cat",
    response2: "",
  };

  test("are a vote for each annotator, ties too, in the order in which the answers were shown", async () => {
    const file = write("test.json", JSON.stringify([{ ...item, annotator1: 1, annotator2: "2", annotator3: 0 }]));
    const vote = { prompt: "Rewrite it.\n\nteh cat", tags: ["Grammarly", "a-7b_b-7b"], sourceLine: 1 };
    const to = "feedback-test~7 LogPreference";
    const { sent, problems } = await bring(preferences, file);
    expect(problems).toEqual([]);
    expect(sent).toEqual([
      { to, data: { ...vote, chosen: "the cat", rejected: "", annotator: "annotator1" } },
      { to, data: { ...vote, chosen: "", rejected: "the cat", annotator: "annotator2", sourcePart: 2 } },
      { to, data: { ...vote, chosen: "the cat", rejected: "", annotator: "annotator3", tie: true, sourcePart: 3 } },
    ]);
  });

  test("number the commands of a line also where it holds several items", async () => {
    const items = [1, 2].map((idx) => ({ ...item, idx, annotator1: 1, annotator2: null, annotator3: 2 }));
    const { sent } = await bring(preferences, write("line.json", JSON.stringify(items)));
    expect(sent.map(({ to, data }) => [to, (data as { sourcePart?: number }).sourcePart])).toEqual([
      ["feedback-line~1 LogPreference", undefined],
      ["feedback-line~1 LogPreference", 2],
      ["feedback-line~2 LogPreference", 3],
      ["feedback-line~2 LogPreference", 4],
    ]);
  });

  test("that are none are told", async () => {
    const rows = [
      { ...item, annotator1: 1 },
      { ...item, annotator1: 3 },
      { ...item, annotator1: 1, annotator2: "garbage" },
      { ...item, annotator1: null },
      { ...item, response1: null, annotator1: 1 },
      { ...item, response2: ["a"], annotator1: 1 },
      { ...item, idx: undefined, annotator1: 1 },
      { ...item, response1: true, annotator1: 1 },
    ];
    const { sent, problems, counts } = await bring(preferences, write("bad.jsonl", rows));
    expect(problems).toEqual([
      "2: annotator1 is 3, and not 0 (a tie), 1 or 2",
      '3: annotator2 is "garbage", and not 0 (a tie), 1 or 2',
      "4: nobody has voted",
      "5: no response1",
      "6: response2 is not a text",
      "7: no id",
    ]);
    expect(sent.map(({ data }) => (data as { chosen: string }).chosen)).toEqual(["the cat", "true"]);
    expect(counts).toMatchObject({ rows: 8, newEvents: 2, alreadyThere: 0, badRows: 6 });
  });

  test("by a model are about the items of the test set", async () => {
    write(
      "v1.json",
      JSON.stringify([
        { ...item, annotator1: 1 },
        { ...item, idx: 8 },
      ]),
    );
    const rows = [
      { idx: 7, gpt_result: "2", gpt_reason: `shorter${"!".repeat(5000)}`, gpt_reference: "the cat." },
      { idx: 8, gpt_result: "Tie" },
      { idx: 9, gpt_result: 1 },
      { idx: 7 },
    ];
    const beside = await bring(preferences, write("gpt-3.5-v1.json", JSON.stringify(rows)));
    const vote = { prompt: "Rewrite it.\n\nteh cat", tags: ["Grammarly", "a-7b_b-7b"], sourceLine: 1 };
    expect(beside.sent).toEqual([
      {
        to: "feedback-v1~7 LogPreference",
        data: {
          ...{ ...vote, chosen: "", rejected: "the cat", annotator: "gpt" },
          comment: expect.stringMatching(/^shorter!{4089}$/),
        },
      },
      {
        to: "feedback-v1~8 LogPreference",
        data: { ...vote, chosen: "the cat", rejected: "", annotator: "gpt", tie: true, sourcePart: 2 },
      },
    ]);
    expect(beside.problems).toEqual(["1: there is no item 9 in the test set", "1: no verdict"]);

    const alone = write("other.json", JSON.stringify([{ idx: 7, m_result: 1 }]));
    await expect(bring(preferences, alone)).rejects.toThrow("name the test set with --items");
    const options = { items: join(folder, "v1.json"), annotator: "m-7b", idPrefix: "set" };
    const named = await bring(preferences, alone, options);
    expect(named.sent).toMatchObject([{ to: "feedback-set~7 LogPreference", data: { annotator: "m-7b" } }]);
    await expect(bring(preferences, alone, { items: alone })).rejects.toThrow("is no test set with responses");
  });
});

describe("preferences as TRL has them", () => {
  const messages = [{ role: "user", content: "hi" }];
  const answer = [{ role: "assistant", content: "hello" }];
  const other = [{ role: "assistant", content: "no" }];

  test("are texts or lists of messages, the prompt in both or by itself", async () => {
    const rows = [
      { prompt: "hi", chosen: "hello", rejected: "" },
      { prompt: messages, chosen: answer, rejected: other, score_chosen: 8 },
      { chosen: [...messages, ...answer], rejected: [...messages, ...other] },
      { id: "q/1", prompt: null, chosen: "a", rejected: "b", annotator: "ann" },
    ];
    const { sent, problems } = await bring(preferences, write("trl.jsonl", rows), { annotator: "crowd" });
    expect(problems).toEqual([]);
    expect(sent).toEqual([
      {
        to: "feedback-trl~1 LogPreference",
        data: { prompt: "hi", chosen: "hello", rejected: "", annotator: "crowd", sourceLine: 1 },
      },
      {
        to: "feedback-trl~2 LogPreference",
        data: { prompt: messages, chosen: answer, rejected: other, annotator: "crowd", sourceLine: 2 },
      },
      {
        to: "feedback-trl~3 LogPreference",
        data: {
          chosen: [...messages, ...answer],
          rejected: [...messages, ...other],
          annotator: "crowd",
          sourceLine: 3,
        },
      },
      {
        to: expect.stringMatching(/^feedback-trl~q-1~[0-9a-f]{8} LogPreference$/),
        data: { chosen: "a", rejected: "b", annotator: "ann", sourceLine: 4 },
      },
    ]);
  });

  test("that are none are told", async () => {
    const rows = [
      { chosen: "a", rejected: "b" },
      { chosen: "a" },
      { chosen: null, rejected: "b" },
      { prompt: 3, chosen: "a", rejected: "b" },
      { chosen: [], rejected: "b" },
      { chosen: [{ content: "a" }], rejected: "b" },
    ];
    expect((await bring(preferences, write("bad-trl.jsonl", rows))).problems).toEqual([
      "2: rejected is missing",
      "3: chosen is not a list of messages {role, content}",
      "4: prompt is not a list of messages {role, content}",
      "5: chosen is not a list of messages {role, content}",
      "6: chosen is not a list of messages {role, content}",
    ]);
  });

  test("as OpenAI has them are the same, with what else the model was given", async () => {
    const rows = [
      { input: { messages }, preferred_output: answer, non_preferred_output: other },
      { input: { messages, tools: [] }, preferred_output: answer, non_preferred_output: other },
      { input: {}, preferred_output: answer, non_preferred_output: other },
      { input: { messages }, preferred_output: "hello", non_preferred_output: other },
      { input: { messages }, preferred_output: answer },
    ];
    const { sent, problems } = await bring(preferences, write("openai.jsonl", rows));
    const data = { prompt: messages, chosen: answer, rejected: other };
    expect(sent).toEqual([
      { to: "feedback-openai~1 LogPreference", data: { ...data, sourceLine: 1 } },
      {
        to: "feedback-openai~2 LogPreference",
        data: { ...data, context: { inputFeatures: { tools: [] } }, sourceLine: 2 },
      },
    ]);
    expect(problems).toEqual([
      "3: input.messages is missing",
      "4: preferred_output is not a list of messages {role, content}",
      "5: non_preferred_output is missing",
    ]);
  });
});

describe("corrections", () => {
  test("are what each annotator wrote, and what is true", async () => {
    const labels = write(
      "crowd.labels.tsv",
      'worker\tsentence\tworkeranswer\nw1\t#7\tHe said "no".\nw2\t\tHe\nw3\t#7\t\n\t#7\tHe\nw4\t#7\n',
    );
    const { sent, problems } = await bring(corrections, labels);
    const to = expect.stringMatching(/^feedback-crowd~-7~[0-9a-f]{8} SubmitCorrection$/);
    expect(sent).toEqual([{ to, data: { corrected: 'He said "no".', annotator: "w1", sourceLine: 2 } }]);
    expect(problems).toEqual([
      "3: no item",
      "4: no corrected",
      "5: no annotator",
      "6: 2 columns where the header has 3",
    ]);

    const gold = write("crowd.gold.tsv", "sentence\ttrueanswer\n#7\tHe said no.\n");
    const truth = await bring(corrections, gold);
    expect(truth.sent).toEqual([{ to, data: { corrected: "He said no.", gold: true, sourceLine: 2 } }]);
    expect(truth.sent[0]?.to).toBe(sent[0]?.to);
    expect(corrections.filesOf?.([labels, "other.tsv"])).toEqual([labels, gold, "other.tsv"]);
    expect(corrections.filesOf?.([labels, gold])).toEqual([labels, gold]);
  });

  test("tell the original, the time and the effort where they know them", async () => {
    const row = {
      id: 3,
      original: "teh",
      corrected: "the",
      annotator: "ann",
      effort_ms: 900,
      timestamp: 1_725_456_558_197,
    };
    const { sent } = await bring(corrections, write("full.jsonl", [row]));
    expect(sent).toEqual([
      {
        to: "feedback-full~3 SubmitCorrection",
        data: { original: "teh", corrected: "the", annotator: "ann", effortMs: 900, sourceLine: 1 },
        at: "2024-09-04T13:29:18.197Z",
      },
    ]);
  });
});

describe("ratings by MQM", () => {
  const header = "system\tdoc\tdocSegId\tglobalSegId\trater\tcategory\tseverity\ttimestamp_ms\teffort_ms";
  const row = (category: string, severity: string, rest = "1725456558197\t900") =>
    `SYS-1\tnews.1\t2\t34\trater3\t${category}\t${severity}\t${rest}`;
  const context = { modelId: "SYS-1", inputFeatures: { document: "news.1" } };

  test.each<[string, string, number, number]>([
    ["Accuracy/Mistranslation", "Major", -5, -5],
    ["Accuracy/Mistranslation", "minor", -1, -5],
    ["Fluency/Punctuation", "Minor", -0.1, -5],
    ["Fluency/Punctuation", "Major", -5, -5],
    ["Style/Awkward", "Neutral", 0, -5],
    ["No-error", "No-error", 0, -5],
    ["Non-translation!", "Major", -25, -25],
  ])("%s, %s: %d", async (category, severity, rating, min) => {
    const { sent } = await bring(ratings, write("mqm.tsv", `${header}\n${row(category, severity)}\n`));
    expect(sent).toEqual([
      {
        to: "feedback-mqm~34~SYS-1 RateOutput",
        data: {
          ...{ rating, scale: { min, max: 0 }, annotator: "rater3", effortMs: 900, tags: [severity, category] },
          ...{ context, sourceLine: 2 },
        },
        at: "2024-09-04T13:29:18.197Z",
      },
    ]);
  });

  test("of honeypots tell of the rater, and so of no model", async () => {
    const { sent } = await bring(
      ratings,
      write("pot.tsv", `${header}\n${row("Found", "HOTW-test")}\n${row("Missed", "HOTW-test")}`),
    );
    const scale = { min: 0, max: 1 };
    expect(sent.map(({ data }) => data)).toEqual([
      { rating: 1, scale, annotator: "rater3", effortMs: 900, tags: ["HOTW-test", "Found"], sourceLine: 2 },
      { rating: 0, scale, annotator: "rater3", effortMs: 900, tags: ["HOTW-test", "Missed"], sourceLine: 3 },
    ]);
  });

  test("may lack the effort and the time, and be about a segment of a document", async () => {
    const file = write(
      "ted.tsv",
      "system\tdoc\tdocSegId\trater\tcategory\tseverity\tcomment\nA\ttalk\t1\tr1\tNo-error\tNo-error\tfine\n",
    );
    const { sent } = await bring(ratings, file, { occurredAt: "2021-01-01T00:00:00.000Z" });
    expect(sent).toMatchObject([
      { to: "feedback-ted~talk~1~A RateOutput", data: { comment: "fine" }, at: "2021-01-01T00:00:00.000Z" },
    ]);
    expect(sent[0]?.data).not.toHaveProperty("effortMs");
  });

  test("that are none are told", async () => {
    const lines = [
      row("Accuracy", "Terrible"),
      row("Lost", "HOTW-test"),
      row("Accuracy", "Major", "soon\t900"),
      row("Accuracy", "Major", "1725456558197\tNaN"),
      row("Accuracy", "Major", "1725456558197\t-1"),
      row("", "Major"),
      row("Accuracy", "Major").replace("rater3", ""),
      row("Accuracy", "Major", "1725456558197\t"),
    ];
    const { sent, problems } = await bring(ratings, write("bad.tsv", [header, ...lines].join("\n")));
    expect(problems).toEqual([
      '2: severity is "Terrible", and not Major, Minor, Neutral, No-error or HOTW-test',
      '3: a honeypot is "Lost", and not Found or Missed',
      '4: timestamp_ms is no time, neither as ISO 8601 nor as a number since 1970: "soon"',
      '5: effort_ms is not a number: "NaN"',
      "6: effort_ms is less than 0: -1",
      "7: no category",
      "8: no rater",
    ]);
    expect(sent).toHaveLength(1);
  });
});

describe("ratings as scores", () => {
  const file = write(
    "scores.tsv",
    "model\tsegment\trater\tscore\nm1\t1\tr1\t5.5\nm1\t1\tr2\t7\nm1\t1\tr3\tNaN\nm1\t1\tr4\t\n",
  );

  test("need a scale", async () => {
    await expect(bring(ratings, file)).rejects.toThrow("add --scale <min,max>");
    const { sent, problems } = await bring(ratings, file, { scale: "0,6" });
    expect(sent).toEqual([
      {
        to: "feedback-scores~1~m1 RateOutput",
        data: { rating: 5.5, scale: { min: 0, max: 6 }, annotator: "r1", context: { modelId: "m1" }, sourceLine: 2 },
      },
    ]);
    expect(problems).toEqual([
      "3: the score 7 lies outside the scale from 0 to 6",
      '4: score is not a number: "NaN"',
      "5: no score",
    ]);
  });

  test.each(["6", "6,0", "0,0", "0,a", "0,6,7", ""])("not %j", (scale) => {
    expect(ratings.wrongUsage?.([file], { scale })).toContain("--scale takes two numbers");
  });
});

describe("predictions", () => {
  test("of a judge in two orders are two inferences of one session", async () => {
    const header = "item\tjudge\tprompting\twinner_order1\twinner_order2\tscore_1\tscore_2\tgold";
    const file = write("judge.tsv", `${header}\nq1\tGPT-4\tRating\t2\t1\t7\t\t1\nq2\tGPT-4\tCoT\t\t1\t\t\t1\n`);
    const { sent, problems } = await bring(predictions, file);
    expect(problems).toEqual([]);
    const about = (item: string, prompting: string, order: string) => ({
      modelId: "GPT-4",
      sessionId: `judge~${item}~GPT-4~${prompting}`,
      inputFeatures: { item, prompting, order },
      label: "1",
    });
    const scores = { 1: 7 };
    expect(sent).toEqual([
      {
        to: "inference-judge~q1~GPT-4~Rating~1 RecordInference",
        data: { ...about("q1", "Rating", "1"), output: { label: "2" }, scores, sourceLine: 2 },
      },
      {
        to: "inference-judge~q1~GPT-4~Rating~2 RecordInference",
        data: { ...about("q1", "Rating", "2"), output: { label: "1" }, scores, sourceLine: 2, sourcePart: 2 },
      },
      { to: "inference-judge~q2~GPT-4~CoT~1 RecordInference", data: { ...about("q2", "CoT", "1"), sourceLine: 3 } },
      {
        to: "inference-judge~q2~GPT-4~CoT~2 RecordInference",
        data: { ...about("q2", "CoT", "2"), output: { label: "1" }, sourceLine: 3, sourcePart: 2 },
      },
    ]);
  });

  test("of other models are one inference a row", async () => {
    const rows = [
      {
        id: 1,
        model: "m1",
        model_version: "v2",
        prediction: "cat",
        confidence: 0.4,
        label: "dog",
        timestamp: "2026-01-02T03:04:05Z",
      },
      { id: 2, prediction: { label: "cat" } },
      { id: 3, prediction: "cat", confidence: "high" },
      { id: 4, prediction: "" },
      { id: 5, prediction: 0, score_a: 0.5 },
      { id: 6, prediction: "cat", confidence: 87 },
    ];
    const { sent, problems } = await bring(predictions, write("plain.jsonl", rows), { model: "m9" });
    expect(sent).toEqual([
      {
        to: "inference-plain~1~m1~v2 RecordInference",
        data: {
          ...{ modelId: "m1", modelVersion: "v2", inputFeatures: { item: "1" }, output: "cat", confidence: 0.4 },
          ...{ label: "dog", sourceLine: 1 },
        },
        at: "2026-01-02T03:04:05.000Z",
      },
      {
        to: "inference-plain~2~m9 RecordInference",
        data: { modelId: "m9", inputFeatures: { item: "2" }, output: { label: "cat" }, sourceLine: 2 },
      },
      {
        to: "inference-plain~5~m9 RecordInference",
        data: { modelId: "m9", inputFeatures: { item: "5" }, output: 0, scores: { a: 0.5 }, sourceLine: 5 },
      },
    ]);
    expect(problems).toEqual([
      '3: confidence is not a number: "high"',
      "4: no prediction",
      "6: the confidence 87 is not from 0 to 1; what has another scale goes in a column score_NAME",
    ]);
    const { problems: nameless } = await bring(predictions, write("nameless.jsonl", rows.slice(1, 2)));
    expect(nameless).toEqual(["1: no model; where the rows have none, --model names it"]);
  });
});

describe("the format", () => {
  test("is what the first row looks like, and unknown ones are refused with what there is", async () => {
    const file = write("unknown.jsonl", [{ a: 1 }]);
    await expect(bring(preferences, file)).rejects.toThrow(
      /line 1 is of no known format; known by their columns are pandalm .*; verdicts .*; trl \(chosen, rejected\); openai/,
    );
  });

  test("may be named", async () => {
    const file = write("named.jsonl", [{ chosen: "a" }, { chosen: "a", rejected: "b" }]);
    const { sent, problems } = await bring(preferences, file, { format: "trl" });
    expect(problems).toEqual(["1: rejected is missing"]);
    expect(sent).toHaveLength(1);
    expect(preferences.wrongUsage?.([file], { format: "csv" })).toBe(
      "--format takes one of pandalm, verdicts, trl, openai",
    );
    expect(preferences.wrongUsage?.([file], { format: "trl" })).toBeUndefined();
  });
});
