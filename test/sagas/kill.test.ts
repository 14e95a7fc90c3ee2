/** Sagas under SIGKILL: whatever one waits for when its process dies, it goes on from there, and everything happens once. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type EventStore, type LoadedActors, loadActors, openLmdbStore, type RecordedEvent } from "retrace";
import { beforeAll, expect, test } from "vitest";
import type { InstanceRow } from "../../src/runtime/sagas/instance.ts";
import { connect } from "../support/connections.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { startNats } from "../support/nats.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { queryRaw, type RawHealth, sendRaw } from "../support/raw-client.ts";
import { launchRuntime } from "../support/runtime.ts";
import type { RuntimeProcess } from "../support/runtime-process.ts";
import { tempDir } from "../support/temp.ts";
import { assertJobsDone, beginning, firedTimers, type Job, jobActors } from "./jobs.ts";
import { assertAllEnded, assertEffectsOnce, assertRowsAreFolds } from "./saga-laws.ts";
import { openSagas, testClock } from "./setting.ts";

let actors: LoadedActors;
beforeAll(async () => {
  actors = await loadActors([jobActors]);
});

/** A data folder on which one process after the other runs, always at the same address. */
class Place {
  readonly dataDir = tempDir();
  readonly port: number;
  runtime: RuntimeProcess;

  constructor(port: number) {
    this.port = port;
    this.runtime = this.launch();
  }

  static async open(): Promise<Place> {
    return new Place(await freePort());
  }

  launch(): RuntimeProcess {
    const { dataDir, port } = this;
    this.runtime = launchRuntime({ dataDir, port, args: ["--actors", jobActors, "--log-level", "warn"] });
    return this.runtime;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  async kill(): Promise<void> {
    expect(await this.runtime.kill()).toEqual({ code: null, signal: "SIGKILL" });
    await this.look((store) => {
      assertEffectsOnce(store);
      assertRowsAreFolds(
        store,
        Array.from(actors.sagas.values(), ({ saga }) => saga),
      );
    });
  }

  look<T>(look: (store: EventStore) => T | Promise<T>): Promise<T> {
    return lookInto(this.dataDir, look);
  }
}

/** Looks at a store while no process is there. */
async function lookInto<T>(dataDir: string, look: (store: EventStore) => T | Promise<T>): Promise<T> {
  const store = openLmdbStore({ path: join(dataDir, "log"), newId: () => "nothing new" });
  try {
    return await look(store);
  } finally {
    await store.close();
  }
}

/** Where to send to. */
type Served = Pick<Place, "url">;

/** Sends until somebody says that it is done. */
async function send(place: Served, category: string, id: string, type: string, data: unknown): Promise<void> {
  const nats = await connect(place.url);
  await eventually(`${type} of ${id} is accepted`, async () => {
    const outcome = await sendRaw(nats, { category, id, type, data, commandId: `${type} ${id}` }, { timeoutMs: 500 });
    return outcome.outcome === "reply";
  });
}

function begin(place: Served, job: Job): Promise<void> {
  const { category, id, command } = beginning(job);
  return send(place, category, id, command.type, command.data);
}

/** The events of one type so far. */
async function events(place: Served, type: string): Promise<readonly RecordedEvent[]> {
  const nats = await connect(place.url);
  const found: RecordedEvent[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const page: Page = await queryRaw<Page>(nats, "events", { types: [type], afterPosition: after, limit: 1_000 });
    found.push(...page.events);
    after = page.next;
  }
  return found;
}

interface Page {
  readonly events: readonly RecordedEvent[];
  readonly next: number | null;
}

function happened(place: Served, type: string, times: number): Promise<true> {
  return eventually(`${type} has happened ${times} times`, async () => (await events(place, type)).length >= times);
}

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

async function assertDone(place: Place, jobs: readonly Job[]): Promise<readonly RecordedEvent[]> {
  await happened(place, "JobFinished", jobs.length);
  await eventually("all sagas have ended", async () => (await events(place, "SagaEnded")).length === jobs.length);
  expect(await place.runtime.stop()).toEqual({ code: 0, signal: null });
  return place.look((store) => {
    assertEffectsOnce(store);
    assertAllEnded(store);
    const all = [...store.readAll()];
    assertJobsDone(all, jobs);
    return all;
  });
}

test("while its timer is pending: one that fell due meanwhile fires once, at the start", async () => {
  const place = await Place.open();
  await place.runtime.ready;
  const jobs = ["a", "b", "c"].map((id) => ({ id, steps: 1, dueAt: inMs(1_500) }));
  for (const job of jobs) await begin(place, job);
  await happened(place, "JobStepped", jobs.length);
  await place.kill();
  const { dueAt } = jobs.at(-1) as Job;
  await eventually("it is due", () => inMs(0) > dueAt);
  await place.launch().ready;
  const all = await assertDone(place, jobs);
  for (const { lateMs } of firedTimers(all)) expect(lateMs).toBeGreaterThan(0);
});

/** At any moment on the way to this many events, and sometimes while it is starting. */
async function killOnTheWay(place: Place, random: Random, total: number): Promise<void> {
  for (let killed = 0; killed < kills; killed++) {
    const wanted = (total * (killed + random.integer(100) / 100)) / kills;
    const nats = await connect(place.url);
    const position = async () => (await queryRaw<RawHealth>(nats, "health", {}, { timeoutMs: 500 })).position;
    await eventually(`there are ${wanted} events`, async () => (await position()) >= wanted);
    await delay(random.integer(30));
    await place.kill();
    place.launch();
    if (random.chance(0.4)) {
      await delay(random.integer(1_000));
      await place.kill();
      place.launch();
    }
    await place.runtime.ready;
  }
}

const kills = 5;

test("during a burst of steps, between a step and the event that follows from it, and while it starts again", {
  timeout: 120_000,
}, async () => {
  const random = seededRandom(20_261_120);
  const place = await Place.open();
  await place.runtime.ready;
  const jobs = Array.from({ length: 20 }, (_, i): Job => {
    return { id: `j${i}`, steps: 100 + random.integer(200), dueAt: inMs(random.integer(8_000)) };
  });
  const begun = Promise.all(jobs.map((job) => begin(place, job)));
  // Two events for a step: the job's, and the saga's.
  const stepped = jobs.reduce((sum, { steps }) => sum + 2 * steps, 0);
  await killOnTheWay(place, random, stepped);
  await begun;
  await assertDone(place, jobs);
});

test("with another process on the same store: that one goes on", { timeout: 120_000 }, async () => {
  const [dataDir, { url }] = [tempDir(), await startNats()];
  const launch = (): RuntimeProcess =>
    launchRuntime({ dataDir, nats: url, args: ["--actors", jobActors, "--log-level", "warn"] });
  const first = launch();
  await first.ready;
  const second = launch();
  await second.ready;
  const place = { url };
  const jobs = Array.from({ length: 10 }, (_, i) => ({ id: `j${i}`, steps: 200, dueAt: inMs(6_000) }));
  await Promise.all(jobs.map((job) => begin(place, job)));
  await first.kill();
  await happened(place, "JobFinished", jobs.length);
  await eventually("all sagas have ended", async () => (await events(place, "SagaEnded")).length === jobs.length);
  expect(await second.stop()).toEqual({ code: 0, signal: null });
  await lookInto(dataDir, (store) => {
    assertEffectsOnce(store);
    assertAllEnded(store);
    assertJobsDone(store.readAll(), jobs);
  });
});

test("while it is stuck: it stays so, with what came for it meanwhile, until it is helped", async () => {
  const place = await Place.open();
  await place.runtime.ready;
  const job = { id: "f", steps: 1, dueAt: inMs(300), isFragile: true };
  await begin(place, job);
  await happened(place, "SagaStuck", 1);
  await place.kill();
  await place.launch().ready;
  await send(place, "job", "f", "Repair", {});
  await place.kill();
  await place.launch().ready;
  await place.kill();
  await place.look(async (store) => {
    expect([...store.readAll({ types: ["SagaStuck"] })]).toHaveLength(1);
    const row = store.get("sagas", ["worker", "f"]) as InstanceRow;
    expect(row).toMatchObject({ stuck: { reason: "INTERNAL" }, queue: [{ kind: "command" }] });
    const sagas = await openSagas(actors, { store, clock: testClock(Date.now()) });
    await sagas.reactor.transaction((reaction) => {
      const loaded = actors.sagas.get("worker") ?? expect.fail();
      const instance = reaction.find(loaded, "f") ?? expect.fail();
      reaction.resume(instance, { how: "retried", by: "somebody" });
    });
  });
  await place.launch().ready;
  await assertDone(place, [job]);
});
