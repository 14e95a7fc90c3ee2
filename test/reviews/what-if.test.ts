/** `retrace review what-if` against a runtime that serves: a rule beside the flags that were really raised. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type AddressedCommand, type Client, connect } from "retrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ended, runCli } from "../cli/run-cli.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";

const count = 2_400;
const segments = ["eu", "us", undefined];
const dayOf = (i: number) => `2026-03-0${1 + Math.floor((i * 3) / count)}`;
const confidenceOf = (i: number) => (i % 100) / 100;
const isFlagged = (i: number) => confidenceOf(i) < 0.2;

let client: Client;
let nats: string;
const folder = tempDir();

beforeAll(async () => {
  nats = (await startRuntime({ dataDir: tempDir() })).url;
  client = await connect({ servers: nats });
  await record(Array.from({ length: count }, (_, i) => i));
  const early = { modelId: "m", inputFeatures: { distance: 9 } };
  const [before, after] = ["2026-03-10T00:00:00Z", "2026-03-12T00:00:00Z"];
  await client.send("inference", "early", { type: "RequestInference", data: early }, { occurredAt: before });
  await client.send("inference", "early", { type: "CompleteInference", data: {} }, { occurredAt: after });
});

afterAll(() => client?.close());

async function record(numbers: readonly number[]): Promise<void> {
  const commands = numbers.flatMap((i): AddressedCommand[] => {
    const userSegment = segments[i % segments.length];
    const options = { occurredAt: `${dayOf(i)}T12:00:00.000Z` };
    const address = { category: "inference", id: `i${i}`, options };
    const data = {
      ...{ modelId: "m", modelVersion: i % 2 === 0 ? "v1" : "v2", inputFeatures: { distance: i % 10 } },
      ...(userSegment !== undefined && { userSegment }),
      ...(i % 4 !== 0 && { scores: { yes: 0.5 + (i % 4) / 10, no: 0.5 - (i % 4) / 10 } }),
      confidence: confidenceOf(i),
    };
    const flag = { ...address, command: { type: "FlagLowConfidence", data: {} } };
    return [{ ...address, command: { type: "RecordInference", data } }, ...(isFlagged(i) ? [flag] : [])];
  });
  for await (const { fault } of client.sendMany(commands)) if (fault !== undefined) throw fault;
}

function run(rule: unknown, ...args: readonly string[]): Promise<Ended> {
  const env = { RETRACE_NATS: nats };
  return runCli(["review", "what-if", "--rule", "-", ...args], { input: JSON.stringify(rule), env });
}

async function json(rule: unknown, ...args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run(rule, "--json", ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

const numbers = Array.from({ length: count }, (_, i) => i);

/** The counts of those that `isAmong`, by hand. */
function counts(isMatched: (i: number) => boolean, isAmong: (i: number) => boolean = () => true) {
  const among = numbers.filter(isAmong);
  return {
    cases: among.length,
    flagged: among.filter(isFlagged).length,
    matched: among.filter(isMatched).length,
    both: among.filter((i) => isFlagged(i) && isMatched(i)).length,
  };
}

describe("what-if", () => {
  test("counts what the rule would have sent beside what was sent, as a whole, by segment, model version and day", async () => {
    const isMatched = (i: number) => confidenceOf(i) < 0.3 && confidenceOf(i) > 0.1;
    const rule = { confidence: { above: 0.1, below: 0.3 } };
    const found = await json(rule, "--by", "occurred", "--until", "2026-03-04T00:00:00+00:00");
    expect(found).toMatchObject({ rule, by: "occurred", until: "2026-03-04T00:00:00.000Z", missing: {} });
    expect(found.all).toEqual(counts(isMatched));
    expect(found.byUserSegment).toEqual([
      { userSegment: "eu", ...counts(isMatched, (i) => i % 3 === 0) },
      { userSegment: "us", ...counts(isMatched, (i) => i % 3 === 1) },
      { userSegment: null, ...counts(isMatched, (i) => i % 3 === 2) },
    ]);
    expect(found.byModelVersion).toEqual([
      { modelId: "m", modelVersion: "v1", ...counts(isMatched, (i) => i % 2 === 0) },
      { modelId: "m", modelVersion: "v2", ...counts(isMatched, (i) => i % 2 === 1) },
    ]);
    expect(found.byDay).toEqual(
      ["2026-03-01", "2026-03-02", "2026-03-03"].map((day) => ({ day, ...counts(isMatched, (i) => dayOf(i) === day) })),
    );
    const first = (isExample: (i: number) => boolean) => numbers.filter(isExample).slice(0, 10);
    expect(found.examples).toEqual({
      both: first((i) => isMatched(i) && isFlagged(i)).map((i) => `i${i}`),
      onlyFlagged: first((i) => !isMatched(i) && isFlagged(i)).map((i) => `i${i}`),
      onlyMatched: first((i) => isMatched(i) && !isFlagged(i)).map((i) => `i${i}`),
    });
  });

  test("sees only the time it is asked about, by either clock", async () => {
    const always = { always: true };
    const march2 = ["--by", "occurred", "--since", "2026-03-02T00:00:00Z", "--until", "2026-03-03T00:00:00Z"];
    expect((await json(always, ...march2)).all).toEqual(
      counts(
        () => true,
        (i) => dayOf(i) === "2026-03-02",
      ),
    );
    expect((await json(always, "--since", "2020-01-01T00:00:00Z")).all).toMatchObject({ cases: count + 1 });
    expect((await json(always, "--since", "2099-01-01T00:00:00Z")).all).toMatchObject({ cases: 0, matched: 0 });
  });

  test("knows what was asked, also where that was before the time", async () => {
    const rule = { novelty: { field: "inputFeatures.distance", above: 8 } };
    expect((await json(rule, "--by", "occurred", "--since", "2026-03-11T00:00:00Z")).examples).toMatchObject({
      onlyMatched: ["early"],
    });
    const { matched, both } = counts((i) => i % 10 > 8);
    expect((await json(rule)).all).toMatchObject({ matched: matched + 1, both });
  });

  test("says where the rule had nothing to look at", async () => {
    const rule = { or: [{ margin: { below: 0.3 } }, { not: { segment: { in: ["eu", "us"] } } }] };
    const found = await json(rule);
    expect(found.missing).toEqual({ "two scores": count / 4 + 1, userSegment: count / 3 + 1 });
  });

  test("speaks to people, too", async () => {
    const { code, stdout, stderr } = await run(
      { sample: { share: 1 } },
      "--by",
      "occurred",
      "--until",
      "2026-03-04T00:00:00Z",
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^inferences completed from the beginning to 2026-03-04T00:00:00\.000Z\n {2,}cases +really sent/,
    );
    expect(stdout).toMatch(/\nall +2400 +480 \(20\.0 %\) +2400 \(100\.0 %\) +480 +0 +1920\n/);
    expect(stdout).toMatch(/\nsegment eu +800 .*\nsegment us +800 .*\nsegment not said +800 /);
    expect(stdout).toMatch(/\nonly by the rule, like i20 i21 /);
  });
});

describe("wrong usage ends with status 2 and says what is wrong:", () => {
  const refuse = async (ended: Promise<Ended>, stderr: RegExp) => {
    const { code, stdout, stderr: said } = await ended;
    expect({ code, stdout, said }).toEqual({ code: 2, stdout: "", said: expect.stringMatching(stderr) });
  };

  test("no rule, and a file that is none", async () => {
    const none = join(folder, "none.json");
    await refuse(runCli(["review", "what-if"]), /required option '--rule <file>'/);
    await refuse(runCli(["review", "what-if", "--rule", none]), /^error: the rule cannot be read: ENOENT/);
    writeFileSync(none, "{");
    await refuse(runCli(["review", "what-if", "--rule", none]), /none\.json is not JSON/);
  });

  test("a rule that says something else than it should", async () => {
    const rule = { and: [{ confidence: {} }, { sample: { share: 5 } }] };
    await refuse(
      run(rule),
      /^error: stdin is no rule:\n {2}and\.0\.confidence: needs below or above\n {2}and\.1\.sample\.share: Too big/,
    );
  });

  test("times", async () => {
    await refuse(run({ always: true }, "--since", "yesterday"), /^error: --since takes a time as ISO 8601/);
    await refuse(run({ always: true }, "--by", "hearsay"), /^error: --by takes recorded or occurred/);
  });
});
