/**
 * A simulation from one seed: clients, two processes on one store and their sagas, with everything going wrong that can.
 * What it comes to is compared with what the same orders come to when nothing goes wrong. Free of vitest.
 */
import assert from "node:assert/strict";
import type { EventStore, RecordedEvent } from "retrace";
import policy from "../../actors/aggregates/policy.ts";
import { StartRefused } from "../../src/core/fault.ts";
import { type LoadedActors, takeActors } from "../../src/runtime/loader.ts";
import type { InstanceRow } from "../../src/runtime/sagas/instance.ts";
import type { ReadRows } from "../../src/runtime/sagas/tools.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { type EndState, endState } from "./end-state.ts";
import { type FaultCounts, type FaultyStore, faultyStore } from "./faulty-store.ts";
import { market, trouble } from "./market.ts";
import { marketSagas } from "./market-sagas.ts";
import { openPackedStore } from "./packed-store.ts";
import { makePlan, type Plan, type PlannedCommand } from "./plan.ts";
import { assertAllEnded, assertEffectsOnce, assertNoneStuck, assertRowsAreFolds } from "./saga-laws.ts";
import { openSagas, type SagaSetting, type TestClock, testClock } from "./setting.ts";

/** What simulations have gone through. */
export interface SimulationReport extends FaultCounts {
  orders: number;
  events: number;
  /** Of sagas. */
  steps: number;
  timersFired: number;
  rejections: number;
  crashes: number;
  failedStarts: number;
  deliveries: number;
  /** Commands sent again after they were accepted. */
  repeated: number;
  /** Sagas that could not go on because of a bug, and that were helped. */
  stuck: number;
}

/** @throws Error that names the seed. */
export async function simulate(seed: number): Promise<SimulationReport> {
  const random = seededRandom(seed);
  const plan = makePlan(random.fork());
  try {
    const expected = await undisturbed(plan);
    const world = await disturb(plan, random.fork());
    assert.deepEqual(world.end, expected);
    return world.report;
  } catch (error) {
    throw new Error(`simulation with seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}

const longest = 5 * 24 * 60 * 60 * 1_000;

async function undisturbed(plan: Plan): Promise<EndState> {
  const store = openPackedStore("calm");
  const setting = await openSagas(actors(0), { store, rows: rowsOf(store) });
  for (const { category, id, type, data, commandId } of [...plan.stock, ...plan.commands]) {
    const outcome = await setting.send(category, id, type, data, commandId);
    assert.ok(!(outcome instanceof Error), `${commandId}: ${JSON.stringify(outcome)}`);
    await setting.settle();
  }
  await setting.pass(longest);
  assertLaws(store);
  assertNoneStuck(store);
  return endState(store);
}

function assertLaws(store: EventStore): void {
  assertEffectsOnce(store);
  assertAllEnded(store);
}

const editions = 3;
const sagas = Array.from({ length: editions }, (_, edition) => marketSagas(edition));
const loaded = sagas.map((some) => takeActors([...market, policy, ...some]));

function actors(edition: number): LoadedActors {
  return loaded[edition] ?? assert.fail(`there is no edition ${edition}`);
}

/** Two projections, as of whatever the store holds. */
function rowsOf(store: EventStore): ReadRows {
  const loads = (): { key: string; value: number }[] =>
    ["k1", "k2", "k3"].map((key) => {
      const signs = Array.from(store.readStream(`carrier-${key}`), ({ type }) => (type === "Booked" ? 1 : -1));
      return { key, value: signs.reduce<number>((sum, sign) => sum + sign, 0) };
    });
  return (_tx, { projection, keys: [key = ""] = [] }) => {
    if (projection === "carriers") return loads();
    const [placed] = store.readStream(key, { limit: 1 });
    return placed === undefined ? [] : [{ key, value: placed.data }];
  };
}

/** A process that may be down. */
interface Process {
  setting: SagaSetting | undefined;
}

class World {
  readonly #random: Random;
  readonly #store: EventStore;
  readonly #faulty: FaultyStore;
  readonly #clock: TestClock = testClock();
  readonly #processes: readonly Process[] = [{ setting: undefined }, { setting: undefined }];
  readonly #plan: Plan;
  #bugs = 0;
  readonly #accepted = new Set<PlannedCommand>();
  readonly #counts = { crashes: 0, failedStarts: 0, deliveries: 0, repeated: 0 };

  constructor(plan: Plan, random: Random) {
    this.#plan = plan;
    this.#random = random;
    this.#store = openPackedStore("troubled");
    this.#faulty = faultyStore(this.#store, random.fork());
  }

  get end(): EndState {
    return endState(this.#store);
  }

  get report(): SimulationReport {
    const events = [...this.#store.readAll()];
    const count = (isCounted: (event: RecordedEvent) => boolean): number => events.filter(isCounted).length;
    return {
      ...this.#faulty.counts,
      ...this.#counts,
      orders: this.#plan.orders,
      events: events.length,
      steps: count(({ category }) => category === "saga"),
      timersFired: count(({ type }) => type === "SagaTimerFired"),
      rejections: count(({ type }) => type === "SagaCommandRejected"),
      stuck: count(({ type }) => type === "SagaStuck"),
    };
  }

  async run(): Promise<void> {
    await this.#start(this.#processes[0] as Process);
    for (const command of this.#plan.stock) await this.#send(command);
    this.#faulty.failing(this.#random.integer(40) / 100);
    // In half of all simulations nothing is wrong with the code.
    this.#bugs = Math.max(0, this.#random.integer(40) - 20) / 100;
    for (let round = 0; round < maxRounds && this.#hasOpenCommands; round++) await this.#round();
    for (let round = this.#random.integer(40); round > 0; round--) await this.#round();
    await this.#heal();
  }

  get #hasOpenCommands(): boolean {
    return this.#plan.commands.some((command) => !this.#accepted.has(command));
  }

  get #hasStuck(): boolean {
    return [...this.#store.scan("sagas", {})].some(({ value }) => (value as InstanceRow).stuck !== undefined);
  }

  /** Some things at once. */
  async #round(): Promise<void> {
    const work = this.#processes.map((process) => this.#background(process));
    const clients = Array.from({ length: this.#random.integer(4) }, () => this.#send(this.#anyCommand()));
    trouble.isOn = this.#random.chance(this.#bugs);
    try {
      await Promise.all([...work, ...clients]);
    } finally {
      trouble.isOn = false;
    }
    this.#clock.advance(this.#random.chance(0.5) ? this.#random.integer(8_000) : 0);
  }

  #anyCommand(): PlannedCommand {
    const { commands } = this.#plan;
    const sendable = commands.filter(({ after }) => after === undefined || this.#accepted.has(after));
    const open = sendable.filter((command) => !this.#accepted.has(command));
    const from = open.length > 0 && this.#random.chance(0.7) ? open : sendable;
    return from[this.#random.integer(from.length)] as PlannedCommand;
  }

  async #send(command: PlannedCommand): Promise<void> {
    const { category, id, type, data, commandId } = command;
    const up = this.#processes.flatMap(({ setting }) => setting ?? []);
    const setting = up[this.#random.integer(up.length)];
    if (setting === undefined) return;
    const outcome = await setting.send(category, id, type, data, commandId);
    if (outcome instanceof Error) return;
    if (this.#accepted.has(command)) this.#counts.repeated += 1;
    this.#accepted.add(command);
  }

  /** One thing that a process does by itself; now and then it ends or begins. */
  async #background(process: Process): Promise<void> {
    const { setting } = process;
    if (setting === undefined) {
      if (this.#random.chance(0.5)) await this.#start(process);
      return;
    }
    if (this.#random.chance(0.03)) return this.#crash(process);
    try {
      const dice = this.#random.integer(10);
      if (dice < 6) await this.#deliver(setting);
      else if (dice < 8) await setting.reactor.fireDue();
      else if (dice < 9) await this.#help(setting);
      else setting.reactor.reload();
    } catch (error) {
      this.#assertExpected(error);
      if (this.#random.chance(0.3)) this.#crash(process);
      else if (this.#random.chance(0.5)) setting.reactor.reload();
    }
  }

  /** What a bus may make of the log: some of it, from anywhere, in any order, some of it twice. */
  async #deliver({ reactor }: SagaSetting): Promise<void> {
    const random = this.#random;
    const from = Math.max(0, reactor.position + (random.chance(0.3) ? random.integer(12) - 6 : 0));
    let events = [...this.#store.readAll({ afterPosition: from, limit: 1 + random.integer(20) })];
    if (random.chance(0.1)) events = events.filter(() => random.chance(0.7));
    if (random.chance(0.1)) events = random.shuffled(events);
    if (random.chance(0.1)) events = events.flatMap((event) => (random.chance(0.2) ? [event, event] : [event]));
    this.#counts.deliveries += 1;
    await reactor.react(events);
  }

  /** Somebody looks at what is stuck, and tries some of it again. */
  async #help({ reactor, options }: SagaSetting): Promise<void> {
    for (const { key, value } of this.#store.scan("sagas", {})) {
      const [name, id] = key as [string, string];
      if ((value as InstanceRow).stuck === undefined || this.#random.chance(0.3)) continue;
      await reactor.transaction((reaction) => {
        const instance = reaction.find(options.sagas.get(name) ?? assert.fail(), id);
        // The other process may have helped it on.
        if (instance?.stuck !== undefined) reaction.resume(instance, { how: "retried", by: "somebody" });
      });
    }
  }

  async #start(process: Process): Promise<void> {
    const edition = this.#random.integer(editions);
    const options = { store: this.#faulty.store, clock: this.#clock, rows: rowsOf(this.#store) };
    try {
      process.setting = await openSagas(actors(edition), options);
    } catch (error) {
      this.#assertExpected(error);
      this.#counts.failedStarts += 1;
    }
  }

  #assertExpected(error: unknown): void {
    const { code, message, stack } = error as { code?: unknown; message: string; stack: string };
    // A chart with a bug folds to something else, or to nothing.
    const isBugFound = trouble.isOn && (error instanceof StartRefused || message.includes("does not fit"));
    assert.ok(isBugFound || code === "STORE_UNAVAILABLE", stack);
  }

  #crash(process: Process): void {
    process.setting = undefined;
    this.#counts.crashes += 1;
    const isReadable = !trouble.isOn;
    if (isReadable) assertRowsAreFolds(this.#store, sagas[0] ?? []);
  }

  /** From here on nothing goes wrong, and what was begun comes to its end. */
  async #heal(): Promise<void> {
    this.#faulty.failing(0);
    const [first, second] = this.#processes as [Process, Process];
    this.#crash(first);
    this.#crash(second);
    await this.#start(first);
    const setting = first.setting ?? assert.fail("it starts when nothing fails");
    for (let round = 0; this.#hasOpenCommands || this.#hasStuck; round++) {
      assert.ok(round < maxRounds, "every command is accepted in the end");
      await this.#send(this.#anyCommand());
      await this.#help(setting);
      await setting.settle();
    }
    await setting.pass(longest);
    assertLaws(this.#store);
  }
}

const maxRounds = 500;

async function disturb(plan: Plan, random: Random): Promise<World> {
  const world = new World(plan, random);
  await world.run();
  return world;
}

/** As many simulations as told, with the seeds from `firstSeed` on; what they went through in all. */
export async function simulations(
  count: number,
  firstSeed: number,
  onProgress: (done: number) => void = () => {},
): Promise<SimulationReport> {
  const total: Record<string, number> = {};
  for (let done = 0; done < count; done++) {
    const report = await simulate(firstSeed + done);
    for (const [name, value] of Object.entries(report)) total[name] = (total[name] ?? 0) + value;
    onProgress(done + 1);
  }
  return total as unknown as SimulationReport;
}
