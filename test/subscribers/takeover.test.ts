/** Several processes with one name: one of them works, and another goes on when it is closed, killed or stopped. */
import { beforeAll, expect, test } from "vitest";
import { runTypeScript, type ScriptProcess } from "../broker/run-typescript.ts";
import { eventually } from "../support/eventually.ts";
import { seededRandom } from "../support/random.ts";
import { freshName, recordRuns, type Setting, startSetting, subscribeNoting, untilHandled } from "./setting.ts";
import type { Line } from "./subscriber-process.ts";

let setting: Setting;

beforeAll(async () => {
  setting = await startSetting();
});

interface Subscriber {
  readonly script: ScriptProcess;
  readonly is: (state: Line["what"]) => Promise<unknown>;
}

/** What the processes of one name have said, in the order in which it came. */
class Company {
  readonly lines: (Line & { readonly pid: number })[] = [];
  readonly #name = freshName();
  readonly #handlerMs: number;
  readonly #from: number;

  constructor(from: number, handlerMs: number) {
    this.#from = from;
    this.#handlerMs = handlerMs;
  }

  start(): Subscriber {
    const options = { name: this.#name, from: this.#from, leaseMs: 1_000, maxInFlight: 4 };
    const args = [setting.nats.url, JSON.stringify(options), String(this.#handlerMs)];
    const script = runTypeScript("../subscribers/subscriber-process.ts", args);
    const { pid } = script;
    void this.#read(script);
    const is = (state: Line["what"]) =>
      eventually(`process ${pid} is ${state}`, () =>
        this.lines.some((line) => line.pid === pid && line.what === state),
      );
    return { script, is };
  }

  async #read(script: ScriptProcess): Promise<void> {
    try {
      for (;;) this.lines.push({ ...(JSON.parse(await script.nextLine()) as Line), pid: script.pid });
    } catch {
      // It has ended.
    }
  }

  /** The positions that were handled, each as often as it was. */
  handled(): number[] {
    return this.lines.flatMap((line) => (line.what === "end" ? [line.position] : []));
  }

  async untilHandled(positions: readonly number[]): Promise<void> {
    await eventually("all are handled", () => {
      const done = new Set(this.handled());
      const missing = positions.filter((position) => !done.has(position));
      if (missing.length > 0) throw new Error(`${missing.length} missing, first ${missing[0]}`);
      return true;
    });
  }

  /** Fails where a handler was given an event before those before it in its stream were handled, by whichever process. */
  expectOrder(): void {
    const streams = new Map<string, Set<number>>();
    for (const line of this.lines) {
      if (line.what === "begin") streams.set(line.stream, (streams.get(line.stream) ?? new Set()).add(line.position));
    }
    const handled = new Set<number>();
    for (const line of this.lines) {
      if (line.what === "end") handled.add(line.position);
      if (line.what !== "begin") continue;
      const earlier = [...(streams.get(line.stream) ?? [])].filter((position) => position < line.position);
      expect({ line, missing: earlier.filter((position) => !handled.has(position)) }).toEqual({ line, missing: [] });
    }
  }
}

async function head(): Promise<number> {
  return (await setting.client.query<{ position: number }>("health")).position;
}

/** Two processes, the first of which works. */
async function two(handlerMs: number) {
  const company = new Company((await head()) + 1, handlerMs);
  const first = company.start();
  await first.is("active");
  const second = company.start();
  await second.is("standby");
  return { company, first, second };
}

test("the one that stands by goes on at once when the one that works is closed, and repeats nothing", async () => {
  const { company, first, second } = await two(5);
  const positions = await recordRuns(setting.client, freshName(), 6, 20);
  await eventually("some are handled", () => company.handled().length > 20);
  first.script.send("close");
  await company.untilHandled(positions);

  await second.is("active");
  expect(company.handled().sort((a, b) => a - b)).toEqual(positions);
  company.expectOrder();
});

test("it goes on a moment later when the other is killed, and nothing is lost", async () => {
  const { company, first, second } = await two(5);
  const positions = await recordRuns(setting.client, freshName(), 6, 20);
  await eventually("some are handled", () => company.handled().length > 20);
  await first.script.kill("SIGKILL");
  await company.untilHandled(positions);

  await second.is("active");
  company.expectOrder();
});

test("one that was stopped for a while finds out that another one works, and stands by", async () => {
  const { company, first, second } = await two(20);
  const early = await recordRuns(setting.client, freshName(), 6, 10);
  await eventually("some are handled", () => company.handled().length > 10);
  process.kill(first.script.pid, "SIGSTOP");
  await second.is("active");
  await company.untilHandled(early);
  const stopped = company.lines.length;
  process.kill(first.script.pid, "SIGCONT");
  await first.is("standby");
  const late = await recordRuns(setting.client, freshName(), 6, 4);
  await company.untilHandled(late);

  const firstSaid = company.lines.slice(stopped).filter(({ pid }) => pid === first.script.pid);
  // What it had begun before it was stopped may end; it begins nothing.
  expect(firstSaid.filter(({ what }) => what === "begin")).toEqual([]);
  expect(new Set(late).size).toBe(company.handled().filter((position) => late.includes(position)).length);
});

test("processes that are killed and started at random lose nothing and keep the order of each stream", async () => {
  const company = new Company((await head()) + 1, 10);
  const random = seededRandom(11);
  const crew = [company.start(), company.start(), company.start()];
  await eventually("one works", () => company.lines.some(({ what }) => what === "active"));
  const positions: number[] = [];
  for (let round = 1; round <= 5; round++) {
    positions.push(...(await recordRuns(setting.client, freshName(), 5, 8)));
    const goal = (round - 1) * 40 + 10;
    await eventually("some are handled", () => new Set(company.handled()).size > goal);
    const at = random.integer(crew.length);
    await crew[at]?.script.kill("SIGKILL");
    const recruit = company.start();
    crew[at] = recruit;
    await Promise.any([recruit.is("standby"), recruit.is("active")]);
  }
  await company.untilHandled(positions);
  company.expectOrder();
});

test("two of one process stand by for each other, too", async () => {
  const name = freshName();
  const from = (await head()) + 1;
  const first = await subscribeNoting(setting.client, { name, from });
  const second = await subscribeNoting(setting.client, { name, from });
  expect([first, second].map(({ subscription }) => subscription.status.state)).toEqual(["active", "standby"]);
  const before = await recordRuns(setting.client, freshName(), 2, 2);
  await untilHandled(first, before);
  await first.subscription.close();
  const after = await recordRuns(setting.client, freshName(), 2, 2);
  await untilHandled(second, after);

  expect(first.handled().sort((a, b) => a - b)).toEqual(before);
  expect(second.handled().sort((a, b) => a - b)).toEqual(after);
});
