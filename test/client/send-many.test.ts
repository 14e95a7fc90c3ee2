import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RetraceDomain } from "../../schemas/index.ts";
import { type AddressedDomainCommand, type Client, connect } from "../../src/wire/client.ts";
import type { SendManyOptions, Sent } from "../../src/wire/send-many.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";

type ToSend = AddressedDomainCommand<RetraceDomain>;

const dataDir = tempDir();
let runtime: TestRuntime;
let client: Client<RetraceDomain>;

beforeAll(async () => {
  runtime = await startRuntime({ dataDir });
  client = await connect<RetraceDomain>({ servers: runtime.url, actor: "ada" });
});

afterAll(() => client.close());

/** A run of so many steps, as single commands. */
function* run(id: string, steps: number): Generator<ToSend> {
  yield { category: "training-run", id, command: { type: "StartTraining", data: {} } };
  for (let step = 1; step <= steps; step++) {
    yield {
      category: "training-run",
      id,
      command: { type: "RecordProgress", data: { step, metrics: { loss: 1 / step } } },
    };
  }
}

async function allSent(
  commands: Iterable<ToSend> | AsyncIterable<ToSend>,
  options?: SendManyOptions,
): Promise<Sent<ToSend>[]> {
  const all: Sent<ToSend>[] = [];
  for await (const sent of client.sendMany(commands, options)) all.push(sent);
  return all;
}

test("sends everything, in the order of each stream, and tells the outcomes in the order of the commands", async () => {
  const runs = ["m1", "m2", "m3"].map((id) => [...run(id, 1_500)]);
  const commands = runs[0]?.flatMap((_, i) => runs.map((each) => each[i] as ToSend)) ?? [];

  const sent = await allSent(commands);

  expect(sent.map(({ command }) => command)).toEqual(commands);
  expect(sent.filter(({ fault }) => fault !== undefined)).toEqual([]);
  for (const id of ["m1", "m2", "m3"]) {
    const own = sent.filter(({ command }) => command.id === id);
    expect(own.map(({ reply }) => reply?.version)).toEqual(own.map((_, i) => i + 1));
  }
  const [first] = (await client.history("training-run", "m1")).events;
  expect(first?.metadata.actor).toEqual({ id: "ada", verified: false });
});

test.each([1, 7, 10_000])("with a window of %d", async (window) => {
  const sent = await allSent(run(`w${window}`, 60), { window });

  expect(sent.map(({ reply }) => reply?.version)).toEqual(sent.map((_, i) => i + 1));
});

test.each([0, 1.5, 10_001])("refuses a window of %d", async (window) => {
  await expect(allSent(run("w", 1), { window })).rejects.toThrow(RangeError);
});

test("tells of each command what became of it, and goes on behind a refusal", async () => {
  const step = (n: number): ToSend => ({
    category: "training-run",
    id: "mixed",
    command: { type: "RecordProgress", data: { step: n } },
  });
  const wrong = {
    category: "training-run",
    id: "mixed",
    command: { type: "RecordProgres", data: {} },
  } as unknown as ToSend;
  const malformed = { ...step(3), options: { actor: "a\nb" } };

  const sent = await allSent([step(1), ...run("mixed", 2), wrong, step(1), malformed, step(3)]);

  expect(sent.map(({ reply, fault }) => fault?.code ?? reply?.version)).toEqual([
    "NOT_ALLOWED_IN_STATE",
    1,
    2,
    3,
    "UNKNOWN_COMMAND",
    "REJECTED",
    "INVALID_COMMAND",
    4,
  ]);
});

test("sends what it has while a source makes wait, and tells of it", async () => {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  async function* slow(): AsyncGenerator<ToSend> {
    yield* run("slow", 2);
    await released;
    yield { category: "training-run", id: "slow", command: { type: "CompleteTraining", data: {} } };
  }

  const versions: (number | undefined)[] = [];
  for await (const { reply } of client.sendMany(slow())) {
    versions.push(reply?.version);
    if (versions.length === 3) release();
  }

  expect(versions).toEqual([1, 2, 3, 4]);
});

test("a reader that leaves early ends the source", async () => {
  let isEnded = false;
  function* source(): Generator<ToSend> {
    try {
      for (let i = 0; ; i++) yield* run(`left-${i}`, 10);
    } finally {
      isEnded = true;
    }
  }

  for await (const { reply } of client.sendMany(source())) if ((reply?.version ?? 0) === 5) break;

  for (let i = 0; i < 100 && !isEnded; i++) await delay(10);
  expect(isEnded).toBe(true);
});

test("a source that fails fails the sending", async () => {
  function* source(): Generator<ToSend> {
    yield* run("failing", 3);
    throw new Error("the file is gone");
  }

  await expect(allSent(source())).rejects.toThrow("the file is gone");
});

test("a command too large for the runtime is told of, and the others go", async () => {
  const large: ToSend = {
    category: "training-run",
    id: "large",
    command: { type: "StartTraining", data: { config: { text: "x".repeat(300_000) } } },
  };

  const sent = await allSent([...run("l1", 2), large, ...run("l2", 2)]);

  expect(sent.map(({ reply, fault }) => fault?.code ?? reply?.version)).toEqual([
    1,
    2,
    3,
    "PAYLOAD_TOO_LARGE",
    1,
    2,
    3,
  ]);
});

test("goes on over a killed runtime: nothing is lost, repeated or reordered", async () => {
  const commands = ["k1", "k2"].flatMap((id) => [...run(id, 4_000)]);
  const sent: Sent<ToSend>[] = [];
  for await (const each of client.sendMany(commands, { window: 200, timeoutMs: 60_000 })) {
    sent.push(each);
    if (sent.length === 1_000) {
      await runtime.kill();
      runtime = await startRuntime({ dataDir, port: Number(new URL(runtime.url).port) });
    }
  }

  expect(sent.filter(({ fault }) => fault !== undefined)).toEqual([]);
  for (const id of ["k1", "k2"]) {
    const own = sent.filter(({ command }) => command.id === id);
    expect(own.map(({ reply }) => reply?.version)).toEqual(own.map((_, i) => i + 1));
    const state = await client.state("training-run", id);
    expect(state.version).toBe(4_001);
  }
});
