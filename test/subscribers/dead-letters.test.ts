/** Events that a handler keeps throwing at: parked with their reason, looked at, retried and dropped, while their streams go on or wait. */
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../../src/wire/client.ts";
import { type DeadLetter, DeadLetters } from "../../src/wire/dead-letters.ts";
import type { EventHandler } from "../../src/wire/subscription-work.ts";
import { type Ended, runCli } from "../cli/run-cli.ts";
import { eventually } from "../support/eventually.ts";
import { startNats, type TestNats } from "../support/nats.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import {
  connectTo,
  expectOneAfterAnother,
  freshName,
  type Notes,
  recordRun,
  recordRuns,
  startSetting,
  subscribeNoting,
  untilHandled,
} from "./setting.ts";

let client: Client;
let nats: TestNats;

beforeAll(async () => {
  ({ client, nats } = await startSetting());
});

async function head(): Promise<number> {
  return (await client.query<{ position: number }>("health")).position;
}

function cli(...args: readonly string[]): Promise<Ended> {
  return runCli(["dead", ...args], { env: { RETRACE_NATS: nats.url } });
}

/** The letters of a subscription, as `dead list` finds them. */
function listed(name: string): Promise<DeadLetter[]> {
  return new DeadLetters(client.nats, "retrace").list(name);
}

/** As the command line does it. */
async function retry(name: string, ...positions: readonly number[]): Promise<void> {
  const letters = new DeadLetters(client.nats, "retrace");
  for (const position of positions) expect(await letters.retry(name, position)).toBe("asked");
  letters.notify(name);
}

async function drop(name: string, ...positions: readonly number[]): Promise<void> {
  const letters = new DeadLetters(client.nats, "retrace");
  for (const position of positions) expect(await letters.drop(name, position)).toBe(true);
  letters.notify(name);
}

const states = (letters: readonly DeadLetter[]) => letters.map(({ position, state }) => [position, state]);

/** A handler that throws at some positions until it is told otherwise. */
function throwingAt(positions: Iterable<number>): { readonly handler: EventHandler; readonly bad: Set<number> } {
  const bad = new Set(positions);
  const handler: EventHandler = (_, { position }) => {
    if (bad.has(position)) throw new Error(`cannot take ${position}`);
  };
  return { handler, bad };
}

async function untilParked({ subscription }: Notes, count: number): Promise<void> {
  await eventually(`${count} events are parked`, () => {
    if (subscription.status.parked !== count) throw new Error(JSON.stringify(subscription.status));
    return true;
  });
}

describe("an event that fails every time", () => {
  test("is parked with its reason and all that it was, and its stream goes on", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const positions = await recordRun(client, "parked", 4);
    const [, bad] = positions as [number, number];
    const { handler } = throwingAt([bad]);
    const notes = await subscribeNoting(client, { name, from, maxDeliver: 3 }, handler);
    await untilHandled(
      notes,
      positions.filter((position) => position !== bad),
    );
    const [event] = (await client.events({ afterPosition: bad - 1, limit: 1 })).events;
    const message = await (await jetstreamManager(client.nats)).streams.getMessage("RETRACE_DEAD", {
      last_by_subj: `retrace.dead.${name}.${bad}`,
    });

    expect(notes.calls.map(({ event: { position } }) => position)).toEqual([
      ...[positions[0], bad, bad, bad],
      ...positions.slice(2),
    ]);
    expect(await listed(name)).toEqual([
      {
        ...{ subscription: name, position: bad, state: "parked", deliveries: 3, event },
        reason: `cannot take ${bad}`,
        thrownAt: expect.stringMatching(/^at .*dead-letters\.test\.ts/),
        since: expect.stringMatching(/^\d{4}-.*Z$/),
        subject: "retrace.evt.training-run.parked.TrainingProgress",
      },
    ]);
    expect(message?.json()).toEqual(event?.data);
    expect(message?.header.get("Retrace-Dead-Subject")).toBe("retrace.evt.training-run.parked.TrainingProgress");
    expect(message?.header.get("ce-id")).toBe(event?.id);
    expect(notes.notices.filter(({ kind }) => kind === "parked")).toEqual([
      { kind: "parked", position: bad, deliveries: 3, error: new Error(`cannot take ${bad}`) },
    ]);
    expect(notes.subscription.status).toMatchObject({ parked: 1, position: positions.at(-1) });
  });

  test("is parked once, and skipped by who comes next", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const positions = await recordRun(client, freshName(), 3);
    const [, bad] = positions as [number, number];
    const first = await subscribeNoting(client, { name, from, maxDeliver: 1 }, throwingAt([bad]).handler);
    await untilHandled(first, [positions[2] as number]);
    await first.subscription.close();
    // As after a crash between parking and writing the position.
    const place = { holder: null, upTo: from - 1, open: {}, filters: ["retrace.evt.*.*.*"] };
    await jetstream(client.nats).publish(`retrace.sub.${name}`, JSON.stringify(place));
    const second = await subscribeNoting(client, { name });
    await eventually("all is done", () => second.subscription.status.position >= (positions[2] as number));

    expect(second.handled()).toEqual([positions[0], positions[2]]);
    expect(states(await listed(name))).toEqual([[bad, "parked"]]);
  });

  test("is parked with whatever was thrown, in one line", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const things = ["a\ntext\r\n of lines", new Error(""), undefined, new Error("größe 語".repeat(400))];
    const positions = await recordRun(client, freshName(), things.length);
    const notes = await subscribeNoting(client, { name, from, maxDeliver: 1 }, (_, { position }) => {
      throw things[positions.indexOf(position)];
    });
    await untilParked(notes, things.length);

    expect((await listed(name)).map(({ reason }) => reason)).toEqual([
      ...["a text of lines", "an error without a message", "undefined"],
      "größe 語".repeat(400).slice(0, 1_000).trim(),
    ]);
  });

  test("is parked when the broker is back", async () => {
    const [broker, dataDir] = [await startNats(), tempDir()];
    await startRuntime({ dataDir, nats: broker.url });
    const other = await connectTo(broker.url);
    const positions = await recordRun(other, "r", 3);
    const notes = await subscribeNoting(
      other,
      { maxDeliver: 2, backoffMs: [50] },
      async (_, { position, deliveries }) => {
        if (position !== positions[1]) return;
        if (deliveries === 2) await broker.kill();
        throw new Error("no");
      },
    );
    await eventually("it waits", () => notes.subscription.status.state === "waiting");
    await broker.restart();
    await untilHandled(notes, [positions[0] as number, positions[2] as number]);

    expect(states(await new DeadLetters(other.nats, "retrace").list())).toEqual([[positions[1], "parked"]]);
    expect(notes.calls.map(({ event }) => event.position)).toEqual([1, 2, 2, 3]);
  });
});

describe("retry", () => {
  test("delivers again, at once where the subscriber runs, and forgets what is handled", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const positions = await recordRun(client, freshName(), 5);
    const { handler, bad } = throwingAt([positions[1] as number, positions[3] as number]);
    const notes = await subscribeNoting(client, { name, from, maxDeliver: 2 }, handler);
    await untilParked(notes, 2);
    bad.clear();
    const { code, stdout } = await cli("retry", String(positions[1]), "--subscription", name, "--json");
    await untilHandled(notes, [positions[1] as number]);

    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ outcome: "retried", subscription: name, position: positions[1] });
    expect(notes.calls.at(-1)?.delivery).toMatchObject({ position: positions[1], deliveries: 3 });
    await untilParked(notes, 1);
    expect(states(await listed(name))).toEqual([[positions[3], "parked"]]);
  });

  test("is kept for a subscriber that does not run", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const positions = await recordRuns(client, freshName(), 3, 2);
    const first = await subscribeNoting(client, { name, from, maxDeliver: 1 }, throwingAt(positions).handler);
    await untilParked(first, 6);
    await first.subscription.close();
    const { code, stdout } = await cli("retry", "--all", "--subscription", name);
    expect({ code, lines: stdout.trim().split("\n").length }).toEqual({ code: 0, lines: 6 });
    expect(new Set((await listed(name)).map(({ state }) => state))).toEqual(new Set(["retry"]));
    const second = await subscribeNoting(client, { name });
    await untilHandled(second, positions);
    await untilParked(second, 0);

    expectOneAfterAnother(second.calls);
    expect(await listed(name)).toEqual([]);
  });

  test("parks again what fails again, with the new reason", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const [position] = (await recordRun(client, freshName(), 1)) as [number];
    let reason = "first";
    const notes = await subscribeNoting(client, { name, from, maxDeliver: 2 }, () => {
      throw new Error(reason);
    });
    await untilParked(notes, 1);
    reason = "second";
    await retry(name, position);
    await eventually("it is parked again", async () => (await listed(name))[0]?.reason === "second");

    expect(await listed(name)).toMatchObject([{ position, state: "parked", deliveries: 4 }]);
    expect(notes.calls.map(({ delivery }) => delivery.deliveries)).toEqual([1, 2, 3, 4]);
  });

  test("while it is retried already does no harm, and a drop in between holds", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const [position] = (await recordRun(client, freshName(), 1)) as [number];
    const waiting: ((error: Error) => void)[] = [];
    const handler = () => new Promise<void>((_, reject) => waiting.push(reject));
    const notes = await subscribeNoting(client, { name, from, maxDeliver: 1 }, handler);
    const fail = async () => (await eventually("the handler runs", () => waiting.shift()))(new Error("no"));
    await fail();
    await untilParked(notes, 1);
    await retry(name, position);
    await eventually("it runs again", () => waiting.length === 1);
    await retry(name, position);
    await drop(name, position);
    await fail();
    await untilParked(notes, 0);

    expect(await listed(name)).toEqual([]);
    expect(notes.calls).toHaveLength(2);
  });
});

describe("where later events wait", () => {
  /** Two runs, the second event of the first one bad; waits until all that can be done is done. */
  async function blocked(options: { readonly name?: string } = {}) {
    const from = (await head()) + 1;
    const [stuck, free] = [await recordRun(client, freshName(), 4), await recordRun(client, freshName(), 4)];
    const { handler, bad } = throwingAt([stuck[1] as number]);
    const name = options.name ?? freshName();
    const notes = await subscribeNoting(client, { name, from, maxDeliver: 2, afterPark: "wait" }, handler);
    await untilHandled(notes, [stuck[0] as number, ...free]);
    await untilParked(notes, 3);
    return { name, stuck, free, bad, notes };
  }

  test("they are held until the event is retried, and come in order, before what is new", async () => {
    const { name, stuck, free, bad, notes } = await blocked();
    expect(states(await listed(name))).toEqual([
      [stuck[1], "parked"],
      [stuck[2], "held"],
      [stuck[3], "held"],
    ]);
    expect(notes.subscription.status.position).toBe(free.at(-1));
    bad.clear();
    await retry(name, stuck[1] as number);
    await untilHandled(notes, stuck);
    await untilParked(notes, 0);

    expect(notes.handled().filter((position) => stuck.includes(position))).toEqual(stuck);
    expectOneAfterAnother(notes.calls);
  });

  test("they go on when it is dropped", async () => {
    const { name, stuck, notes } = await blocked();
    const { stdout } = await cli("drop", "--all", "--subscription", name);
    await untilHandled(notes, [stuck[0] as number, ...stuck.slice(2)]);
    await untilParked(notes, 0);

    expect(stdout).toMatch(new RegExp(`^${stuck[1]} training-run-\\S+@2 TrainingProgress of ${name} is dropped\\n$`));
    expect(notes.handled()).not.toContain(stuck[1]);
    expectOneAfterAnother(notes.calls);
  });

  test("they wait over a restart, whatever is done meanwhile", async () => {
    const { name, stuck, notes } = await blocked();
    await notes.subscription.close();
    const id = (notes.calls.find(({ event }) => event.position === stuck[0])?.event.stream ?? "").slice(
      "training-run-".length,
    );
    const late = await client.send("training-run", id, { type: "RecordProgress", data: { step: 9 } });
    const second = await subscribeNoting(client, { name, afterPark: "wait" });
    await untilParked(second, 4);
    expect(second.handled()).toEqual([]);
    await second.subscription.close();
    await retry(name, stuck[1] as number);
    const third = await subscribeNoting(client, { name, afterPark: "wait" });
    await untilHandled(third, [...stuck.slice(1), late.position]);

    expect(third.handled()).toEqual([...stuck.slice(1), late.position]);
    expect(await listed(name)).toEqual([]);
  });

  test("one of them that fails holds up the rest in its turn", async () => {
    const { name, stuck, bad, notes } = await blocked();
    bad.clear();
    bad.add(stuck[2] as number);
    await cli("retry", "--all", "--subscription", name);
    await eventually(
      "the next one is parked",
      async () => (await listed(name))[0]?.state === "parked" && (await listed(name)).length === 2,
    );

    expect(states(await listed(name))).toEqual([
      [stuck[2], "parked"],
      [stuck[3], "held"],
    ]);
    expect(notes.handled().filter((position) => stuck.includes(position))).toEqual(stuck.slice(0, 2));
  });

  test("a held one is not asked for, but may be dropped", async () => {
    const { name, stuck, bad, notes } = await blocked();
    const refused = await cli("retry", String(stuck[2]), "--subscription", name);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/waits for an earlier event of its stream: retry or drop that/);
    expect(await cli("drop", String(stuck[2]), "--subscription", name)).toMatchObject({ code: 0, stderr: "" });
    bad.clear();
    await retry(name, stuck[1] as number);
    await untilHandled(notes, [stuck[1] as number, stuck[3] as number]);

    expect(notes.handled().filter((position) => stuck.includes(position))).toEqual([stuck[0], stuck[1], stuck[3]]);
  });

  test("they are delivered when the subscriber no longer waits", async () => {
    const { name, stuck, notes } = await blocked();
    await notes.subscription.close();
    const second = await subscribeNoting(client, { name, afterPark: "continue" });
    await untilHandled(second, stuck.slice(2));

    expect(second.handled()).toEqual(stuck.slice(2));
    expect(states(await listed(name))).toEqual([[stuck[1], "parked"]]);
  });
});

describe("the command line", () => {
  test("shows a letter to people and to programs", async () => {
    const name = freshName();
    const from = (await head()) + 1;
    const [position] = (await recordRun(client, "shown", 1)) as [number];
    const notes = await subscribeNoting(client, { name, from, maxDeliver: 1 }, throwingAt([position]).handler);
    await untilParked(notes, 1);
    const human = await cli("show", String(position), "--subscription", name);
    const program = await cli("show", String(position), "--subscription", name, "--json");
    const list = await cli("list", "--subscription", name);

    expect(human).toMatchObject({ code: 0, stderr: "" });
    expect(human.stdout).toMatch(new RegExp(`^position {5}${position}\nsubscription ${name}\nstate {8}parked since `));
    expect(human.stdout).toMatch(/\nevent {8}training-run-shown@1 TrainingStarted, schema version 1\n/);
    expect(human.stdout).toMatch(/\nreason {7}cannot take \d+\nthrown {7}at .*\ndata {9}\{\n {2}"seed": 1\n\}\n$/);
    expect(JSON.parse(program.stdout)).toEqual((await listed(name))[0]);
    expect(list.stdout).toMatch(
      new RegExp(
        `^ *${position} \\S+Z ${name} parked training-run-shown@1 TrainingStarted 1 deliveries: cannot take ${position}\n$`,
      ),
    );
  });

  test("takes positions and ranges, of all subscriptions unless one is named, and says what is not there", async () => {
    const setting = await startSetting();
    const run = (...args: string[]) => runCli(["dead", ...args], { env: { RETRACE_NATS: setting.nats.url } });
    const positions = await recordRun(setting.client, "r", 6);
    for (const name of ["one", "two"]) {
      const notes = await subscribeNoting(setting.client, { name, maxDeliver: 1 }, throwingAt(positions).handler);
      await untilParked(notes, 6);
      await notes.subscription.close();
    }
    expect(await run("drop", "1", "3-4", "--subscription", "one")).toMatchObject({ code: 0, stderr: "" });
    const partly = await run("drop", "1", "6-100", "50", "--json");
    const left = (await run("list", "--json")).stdout.trim().split("\n");

    expect({ code: partly.code, stderr: partly.stderr }).toEqual({
      code: 1,
      stderr: "retrace: there is no dead letter at position 50\n",
    });
    expect(partly.stdout).toBe(
      ["one 6", "two 1", "two 6"]
        .map((each) => each.split(" "))
        .map(([name, at]) => `{"outcome":"dropped","subscription":"${name}","position":${at}}\n`)
        .join(""),
    );
    expect(
      left.map((line) => JSON.parse(line) as DeadLetter).map((each) => [each.subscription, each.position]),
    ).toEqual([...[2, 5].map((position) => ["one", position]), ...[2, 3, 4, 5].map((position) => ["two", position])]);
  });

  test("ends with 1 where there is nothing, and with 2 when it is used wrongly", async () => {
    const missing = await cli("show", "999999");
    expect(missing).toMatchObject({ code: 1, stdout: "" });
    expect(missing.stderr).toBe("retrace: NOT_FOUND: there is no dead letter at position 999999\n");
    expect(await cli("retry", "999999", "--subscription", "nobody")).toMatchObject({ code: 1, stdout: "" });
    const nobody = await cli("list", "--subscription", "nobody");
    expect(nobody).toEqual({ code: 0, stdout: "", stderr: "there are no dead letters\n" });
    for (const wrong of [
      ["retry"],
      ["drop"],
      ["drop", "1", "--all"],
      ["show", "x"],
      ["show"],
      ["retry", "5-2"],
      ["retry", "0"],
      ["list", "--subscription", "a.b"],
      [],
    ]) {
      expect({ wrong, ...(await cli(...wrong)) }).toMatchObject({ wrong, code: 2, stdout: "" });
    }
  });

  test("finds nothing where no subscriber has ever parked anything", async () => {
    const empty = await startNats();
    const run = (...args: string[]) => runCli(["dead", ...args], { env: { RETRACE_NATS: empty.url } });
    expect(await run("list")).toEqual({ code: 0, stdout: "", stderr: "there are no dead letters\n" });
    expect(await run("list", "--json")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await run("drop", "1")).toMatchObject({ code: 1 });
    expect(await run("retry", "--all")).toEqual({ code: 0, stdout: "", stderr: "no dead letter is parked\n" });
  });
});
