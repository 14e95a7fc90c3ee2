/** The classifier of the demonstration: it learns, and the same input gives the same weights. */
import { expect, test } from "vitest";
import {
  accuracyOn,
  type Classifier,
  type Hyperparameters,
  type LearningStep,
  learn,
  predict,
  type Row,
} from "../../actors/verbs/demo/classifier.ts";
import { balanced, type Line, proseLines, sourceLines, split } from "../../actors/verbs/demo/corpus.ts";
import { hashOf, randomFrom, shuffled } from "../../actors/verbs/demo/random.ts";
import { packageRoot, readCorpus } from "../../actors/verbs/demo/read-corpus.ts";

const hyperparameters: Hyperparameters = {
  ngram: 3,
  buckets: 4096,
  epochs: 12,
  batchSize: 16,
  learningRate: 2,
  decay: 0.1,
  l2: 1e-5,
};

function learned(rows: readonly Row[], seed = 7): { classifier: Classifier; steps: LearningStep[] } {
  const learning = learn(rows, hyperparameters, seed);
  const steps: LearningStep[] = [];
  for (;;) {
    const next = learning.next();
    if (next.done === true) return { classifier: next.value, steps };
    steps.push(next.value);
  }
}

/** Code against the sentences of the comments: both are here whatever documents there are. */
async function ownLines(): Promise<Row[]> {
  const { lines } = await readCorpus(packageRoot());
  const unique = [...new Map(lines.map((line) => [line.text, line])).values()];
  const sentences = unique.filter((line) => line.isComment).map((line) => line.text.replace(/^[/* ]+|[/* ]+$/g, ""));
  const code = unique.filter((line) => line.label === "source" && !line.isComment).map((line) => line.text);
  return Array.from({ length: 300 }, (_, index): Row[] => [
    { text: sentences[index] as string, label: "prose", weight: 1 },
    { text: code[index * 3] as string, label: "source", weight: 1 },
  ]).flat();
}

test("learns to tell code from sentences it has not seen", async () => {
  const rows = await ownLines();
  const { classifier, steps } = learned(rows.slice(0, 300));
  expect(accuracyOn(classifier, rows.slice(300))).toBeGreaterThan(0.9);
  expect(steps).toHaveLength(12 * Math.ceil(300 / 16));
  expect(steps.at(-1)?.loss).toBeLessThan((steps[0]?.loss as number) / 3);
});

test("gives the same weights for the same rows and seed, and others for another seed", async () => {
  const rows = (await ownLines()).slice(0, 100);
  expect(learned(rows)).toEqual(learned(rows));
  expect(learned(rows, 8).classifier.weights).not.toEqual(learned(rows).classifier.weights);
});

test("says how sure it is, between a coin's toss and certainty", async () => {
  const rows = (await ownLines()).slice(0, 100);
  const { classifier } = learned(rows);
  for (const { text } of rows) {
    const { label, confidence, scores } = predict(classifier, text);
    expect(confidence).toBeGreaterThanOrEqual(0.5);
    expect(confidence).toBeLessThanOrEqual(1);
    expect(scores[label]).toBe(confidence);
    expect(scores.source + scores.prose).toBeCloseTo(1);
  }
});

test("a row of more weight pulls harder", () => {
  const rows: Row[] = [
    { text: "the quick brown fox", label: "prose", weight: 1 },
    { text: "the quick brown fox", label: "source", weight: 5 },
  ];
  expect(predict(learned(rows).classifier, "the quick brown fox").label).toBe("source");
});

test("takes lines of a program, comments among them", () => {
  const text = "import x from 'y';\n\n}\n  // says why it is so\n/** A docstring. */\n//# sourceMappingURL=a.js.map\n";
  expect(sourceLines(text)).toEqual([
    { text: "import x from 'y';", label: "source", isComment: false },
    { text: "// says why it is so", label: "source", isComment: true },
    { text: "/** A docstring. */", label: "source", isComment: true },
  ]);
});

test("takes lines of a document without its code, and the sentences of its tables", () => {
  const text =
    "# A heading of it\n\n```ts\nconst hidden = true;\n```\n| `a table` | says this in one cell |\n- and one more item\n";
  const lines = proseLines(text).map((line) => line.text);
  expect(lines).toEqual(["# A heading of it", "says this in one cell", "- and one more item"]);
});

test("balances the labels, whatever the order of the lines, and leaves out what is both", () => {
  const make = (label: Line["label"], isComment: boolean, count: number) =>
    Array.from({ length: count }, (_, index) => ({ text: `${label} ${isComment} ${index}`, label, isComment }));
  const both = { text: "the same in both", isComment: false } as const;
  const lines: Line[] = [
    ...make("source", false, 90),
    ...make("source", true, 40),
    ...make("prose", false, 100),
    { ...both, label: "source" },
    { ...both, label: "prose" },
  ];
  const result = balanced(lines);
  expect(result).toHaveLength(160);
  expect(result.filter((line) => line.label === "prose")).toHaveLength(80);
  expect(result.filter((line) => line.isComment)).toHaveLength(40);
  expect(result.some((line) => line.text === both.text)).toBe(false);
  expect(balanced([...lines].reverse())).toEqual(result);

  const { training, pool, heldOut } = split(result);
  const texts = [...training, ...pool, ...heldOut].map((line) => line.text);
  expect(new Set(texts).size).toBe(texts.length);
  expect(training.filter((line) => line.isComment)).toHaveLength(2);
  expect([pool.length, heldOut.length]).toEqual([64, 64]);
});

test("makes the same random numbers everywhere", () => {
  const random = randomFrom(42);
  expect([random(), random(), random()].map((value) => value.toFixed(6))).toMatchInlineSnapshot(`
    [
      "0.601104",
      "0.448291",
      "0.852466",
    ]
  `);
  expect(hashOf("retrace")).toMatchInlineSnapshot(`2353408409`);
  expect(shuffled([1, 2, 3, 4, 5], randomFrom(1)).sort()).toEqual([1, 2, 3, 4, 5]);
});
