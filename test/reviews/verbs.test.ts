/** `retrace review` at a terminal: taking reviews, answering, the second line, and what is said when it cannot be. */
import assert from "node:assert/strict";
import { type Client, connect, Fault, type RecordedEvent } from "retrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { explained } from "../../actors/verbs/review/refusals.ts";
import type { RetraceDomain } from "../../schemas/index.ts";
import { type Ended, runCli } from "../cli/run-cli.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";

const stateHome = tempDir();
let client: Client<RetraceDomain>;
let nats: string;

beforeAll(async () => {
  nats = (await startRuntime({ dataDir: tempDir() })).url;
  client = await connect<RetraceDomain>({ servers: nats });
});

afterAll(() => client?.close());

/** `retrace review ...` as this reviewer; nobody where it is empty. */
function run(reviewer: string, ...args: readonly string[]): Promise<Ended> {
  return runCli(["review", ...args], {
    env: { RETRACE_NATS: nats, RETRACE_REVIEWER: reviewer, XDG_STATE_HOME: stateHome },
  });
}

/** What it says for programs, a value a line. */
async function json(reviewer: string, ...args: readonly string[]): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await run(reviewer, ...args, "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

type Request = Parameters<typeof client.send<"review">>[2]["data"];

async function request(id: string, data: Request = {}): Promise<void> {
  await client.send("review", id, { type: "RequestReview", data: { options: ["cat", "dog"], ...data } as never });
}

async function history(id: string): Promise<readonly RecordedEvent[]> {
  return (await client.history("review", id)).events;
}

async function cancel(...ids: readonly string[]): Promise<void> {
  for (const id of ids) await client.send("review", id, { type: "CancelReview", data: {} });
}

/** How it was refused: in a sentence, and by its code for programs. */
async function refusal(reviewer: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(reviewer, ...args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  return stderr.trim();
}

test("a review is claimed, shown and submitted with its effort, and nobody sees the gold", async () => {
  const answered = {
    output: { label: "cat", text: "me\u001b[31mow" },
    confidence: 0.7,
    modelId: "m",
    modelVersion: "v2",
  };
  await client.send("inference", "i1", { type: "RequestInference", data: { inputFeatures: { sound: "meow" } } });
  await client.send("inference", "i1", { type: "CompleteInference", data: answered });
  const asked = { question: "Which animal?", rubric: { cat: "says meow" }, gold: "dog", taskKind: "animals", k: 2 };
  await request("r1", { ...asked, subject: { category: "inference", id: "i1" }, priority: 7, reason: "unsure" });

  const [listed] = await json("ada", "list", "--mine");
  expect(listed).toMatchObject({ id: "r1", status: "requested", votes: 0, k: 2, priority: 7, reason: "unsure" });
  const claimed = await run("ada", "claim");
  expect(claimed).toMatchObject({ code: 0, stderr: "" });
  for (const shown of ["Which animal?", '"cat": "says meow"', "cat | dog", '"sound": "meow"', "inference i1", "m v2"]) {
    expect(claimed.stdout).toContain(shown);
  }
  expect(claimed.stdout).toContain("me\\u001b[31mow");
  expect(claimed.stdout).toMatch(/\nclaimed for ada until .*Z\nthen: retrace review submit r1 LABEL --reviewer ada\n$/);

  const submitted = await run("ada", "submit", "r1", "cat", "--comment", "it purrs");
  expect(submitted).toMatchObject({ code: 0, stderr: "" });
  expect(submitted.stdout).toMatch(/^r1: HumanLabelSubmitted; now voting, after \d+ s\n$/);
  const vote = (await history("r1")).at(-1);
  expect(vote).toMatchObject({
    data: { reviewer: "ada", label: "cat", comment: "it purrs", effortMs: expect.any(Number) },
    metadata: { actor: { id: "ada", verified: false } },
  });
  expect((vote?.data as { effortMs: number }).effortMs).toBeGreaterThan(0);

  const shown = [
    listed,
    ...(await json("bob", "show", "r1")),
    ...(await json("bob", "claim")),
    ...(await json("bob", "list")),
  ];
  for (const one of shown) {
    expect(JSON.stringify(one)).not.toMatch(/gold|purrs|ballots|"label":"cat","reviewer"/);
  }
  expect(shown[2]).toMatchObject({
    ...{ claimed: "r1", reviewer: "bob", leaseUntil: expect.any(String) },
    review: { votes: 1, inference: { output: answered.output, inputFeatures: { sound: "meow" } } },
  });
  expect(await json("bob", "submit", "r1", "dog", "--effort-ms", "1234")).toMatchObject([{ effortMs: 1234 }]);
  await cancel("r1");
});

test("claim takes the most urgent that the reviewer may take, again and again, until nothing is left", async () => {
  await request("low", { priority: 1 });
  await request("due", { priority: 5, dueAt: "2099-01-01T00:00:00Z" });
  await request("sooner", { priority: 5, dueAt: "2098-01-01T00:00:00Z" });
  await request("older", { priority: 5 });
  await request("younger", { priority: 5 });
  await request("skilled", { priority: 9, requiredSkills: ["birds"] });
  await request("not-ada", { priority: 9, excludedReviewers: ["ada"] });
  const taken: unknown[] = [];
  for (let turn = 0; turn < 5; turn++) taken.push((await json("ada", "claim"))[0]?.claimed);
  expect(taken).toEqual(["sooner", "due", "older", "younger", "low"]);
  const nothing = await run("ada", "claim");
  expect(nothing).toEqual({ code: 1, stdout: "nothing waits that ada may take\n", stderr: "" });
  expect((await json("bob", "claim"))[0]?.claimed).toBe("not-ada");

  const mine = (await json("ada", "list", "--mine")).map(({ id }) => id);
  expect(mine.sort()).toEqual(["due", "low", "older", "sooner", "younger"]);
  await cancel("low", "due", "sooner", "older", "younger", "skilled", "not-ada");
});

test("of reviewers who claim at once, each gets one of their own as long as there are any", async () => {
  const ids = ["a1", "a2", "a3", "a4"];
  for (const id of ids) await request(id);
  const ended = await Promise.all(["r1", "r2", "r3", "r4", "r5", "r6"].map((name) => run(name, "claim", "--json")));
  const claimed = ended.map(({ stdout }) => (JSON.parse(stdout) as { claimed: string | null }).claimed);
  expect(claimed.filter((id) => id !== null).sort()).toEqual(ids);
  expect(ended.map(({ code }) => code).sort()).toEqual([0, 0, 0, 0, 1, 1]);
  await cancel(...ids);
});

describe("refused in words that say what to do:", () => {
  beforeAll(async () => {
    await request("held", { excludedReviewers: ["eve"] });
    await client.send("review", "held", { type: "ClaimReview", data: { reviewer: "ada" } });
    await request("over", { k: 2 });
    for (const reviewer of ["ada", "bob"]) {
      await client.send("review", "over", { type: "ClaimReview", data: { reviewer } });
      await client.send("review", "over", { type: "SubmitLabel", data: { reviewer, label: "cat" } });
    }
    await request("short");
    await client.send("review", "short", { type: "ClaimReview", data: { reviewer: "ada", leaseMs: 1 } });
    await request("skipped");
    await client.send("review", "skipped", { type: "SkipReview", data: { reviewer: "ada" } });
  });

  afterAll(() => cancel("held", "over", "short", "skipped"));

  type Command = Parameters<typeof client.send<"review">>[2];

  /** What a verb that sends this command would say; the verbs themselves are run below. */
  async function said(id: string, type: Command["type"], data: object): Promise<string> {
    try {
      await client.send("review", id, { type, data } as Command);
    } catch (error) {
      assert(error instanceof Fault);
      return explained(error).message;
    }
    throw new Error("it was not refused");
  }

  test.each<[string, string, Command["type"], object, string | RegExp]>([
    [
      "no such review",
      "none",
      "SubmitLabel",
      { reviewer: "ada", label: "cat" },
      /^there is no such review; list those/,
    ],
    [
      "no lease",
      "held",
      "SubmitLabel",
      { reviewer: "bob", label: "cat" },
      "bob does not hold this review; claim it first",
    ],
    ["lease over", "short", "SubmitLabel", { reviewer: "ada", label: "cat" }, /again with: retrace review claim ID$/],
    ["no place left", "held", "ClaimReview", { reviewer: "bob" }, /; or take another with: retrace review claim$/],
    ["excluded", "held", "ClaimReview", { reviewer: "eve" }, "eve is excluded from this review; claim another"],
    ["skipped before", "skipped", "ClaimReview", { reviewer: "ada" }, "ada has skipped this review; claim another"],
    ["all votes cast", "over", "ClaimReview", { reviewer: "ida" }, /^all votes are cast and wait to be counted/],
    [
      "nothing to give back",
      "held",
      "ReleaseReview",
      { reviewer: "bob" },
      "bob has nothing to give back in this review",
    ],
    [
      "no label yet",
      "held",
      "AcceptLabel",
      { reviewer: "lead" },
      "the review has no label yet (voting): it waits for votes",
    ],
  ])("%s", async (_what, id, type, data, sentence) => {
    const message = await said(id, type, data);
    if (typeof sentence === "string") expect(message).toBe(sentence);
    else expect(message).toMatch(sentence);
  });

  test("for people in a sentence", async () => {
    const sentence = /^retrace: REJECTED: .* choose one of them: cat, dog$/;
    expect(await refusal("ada", "submit", "held", "cow")).toMatch(sentence);
  });

  test("for programs with the code and the details", async () => {
    const { code, stdout, stderr } = await run("ada", "submit", "held", "cow", "--json");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    const { error } = JSON.parse(stderr);
    expect(error).toMatchObject({
      code: "REJECTED",
      details: { reason: "LABEL_NOT_AN_OPTION", options: ["cat", "dog"] },
    });
  });

  test("wrong usage: nobody, nonsense", async () => {
    const usage = async (reviewer: string, ...args: readonly string[]) => {
      const { code, stderr } = await run(reviewer, ...args);
      expect(code).toBe(2);
      return stderr;
    };
    expect(await usage("", "claim")).toBe("error: say who reviews: --reviewer <name>, or RETRACE_REVIEWER\n");
    expect(await usage("ada", "claim", "--minutes", "0")).toMatch(/^error: --minutes takes/);
    expect(await usage("ada", "submit", "held", "cat", "--effort-ms", "soon")).toMatch(/^error: --effort-ms takes/);
    expect(await usage("ada", "list", "--limit", "none")).toMatch(/^error: --limit takes/);
  });
});

test("the second line accepts, fixes or returns what was decided, and somebody else settles disputes", async () => {
  for (const id of ["s1", "s2", "s3"]) {
    await request(id);
    await client.send("review", id, { type: "RecordLabels", data: { labels: [{ reviewer: "ada", label: "cat" }] } });
    await client.send("review", id, { type: "CloseReview", data: {} });
  }
  expect(await json("", "list")).toEqual([]);
  const decided = await json("", "list", "--decided");
  expect(decided.map(({ id, status, label }) => [id, status, label])).toEqual(
    ["s1", "s2", "s3"].map((id) => [id, "consensus", "cat"]),
  );
  expect(await refusal("ada", "accept", "s1")).toMatch(/ada has voted in this review/);
  expect(await refusal("zoe", "fix", "s1", "cat")).toMatch(/accept it with: retrace review accept ID$/);
  await json("zoe", "accept", "s1", "--comment", "yes");
  await json("zoe", "fix", "s2", "dog");
  await json("zoe", "return", "s3", "--reason", "look again");
  expect(await refusal("max", "claim", "s3")).toMatch(/in dispute; settle it with: retrace review adjudicate/);
  expect(await json("", "list", "--status", "disputed")).toMatchObject([{ id: "s3" }]);
  await json("max", "adjudicate", "s3", "dog");
  expect(await json("", "list", "--status", "adjudicated")).toMatchObject([{ id: "s3", label: "dog" }]);
  expect(await refusal("max", "accept", "s3")).toMatch(/max has settled this review; somebody else accepts/);
  await json("zoe", "accept", "s3");
  expect(await json("", "list", "--decided")).toEqual([]);
  expect(await json("", "show", "s3")).toMatchObject([
    { status: "closed", label: "dog", ballots: [{ reviewer: "ada", label: "cat" }] },
  ]);
});

test("where reviewers are registered, their skills and capacity count", async () => {
  await client.send("reviewer", "vet", { type: "RegisterReviewer", data: { skills: ["birds"], capacity: 1 } });
  await request("b1", { requiredSkills: ["birds"], priority: 2 });
  await request("b2", {});
  expect(await refusal("stranger", "claim")).toMatch(
    /^error: stranger is not registered, and others are; register with: /,
  );
  expect((await json("vet", "claim"))[0]?.claimed).toBe("b1");
  expect(await refusal("vet", "claim")).toBe("error: vet holds as many reviews as they can; submit one, or release it");
  const reviewers = await json("", "list", "--reviewers");
  expect(reviewers.find(({ name }) => name === "vet")).toMatchObject({ skills: ["birds"], capacity: 1, openLeases: 1 });
  await json("vet", "release", "b1");
  await json("vet", "skip", "b1", "--reason", "a bat");
  expect((await json("vet", "claim"))[0]?.claimed).toBe("b2");
  await cancel("b1", "b2");
});

test("tables are for people, the most urgent first", async () => {
  await request("t1", { taskKind: "animals", subject: { category: "inference", id: "i1" }, priority: 1 });
  await request("t2", { taskKind: "plants", priority: 3 });
  const { stdout } = await run("", "list");
  expect(stdout).toMatch(
    /^review +status +votes +priority +due +kind +about +held by\nt2 .*plants.*\nt1 .*inference i1/,
  );
  expect((await run("", "list", "--limit", "1")).stdout).toMatch(/\nand 1 more; --limit takes more\n$/);
  expect((await run("", "list", "--task-kind", "rocks")).stdout).toBe(
    "nothing waits of the kind rocks; what waits is of: animals, plants\n",
  );
  const narrow = await runCli(["review", "list"], { env: { RETRACE_NATS: nats, COLUMNS: "40" } });
  expect(narrow.stdout.split("\n").map(({ length }) => length)).toEqual([40, 40, 40, 0]);
  expect((await run("", "list", "--reviewers")).stdout).toMatch(/^reviewer +holds +asked +done +capacity +skills\n/);
  const labels = [{ reviewer: "ada", label: "cat" }];
  await client.send("review", "t1", { type: "RecordLabels", data: { labels } });
  const { stdout: open } = await run("", "list");
  expect(open).not.toContain("t1");
  expect(open).toMatch(
    /\n1 other has all its votes and waits to be counted \(--all\); .* retrace send review ID CloseReview/,
  );
  expect((await json("", "list")).map(({ id }) => id)).toEqual(["t2"]);
  expect((await json("", "list", "--all")).map(({ id }) => id)).toEqual(["t2", "t1"]);
  expect((await json("", "list", "--status", "voted")).map(({ id }) => id)).toEqual(["t1"]);
  await cancel("t1", "t2");
});
