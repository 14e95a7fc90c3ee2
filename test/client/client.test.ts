import { afterAll, beforeAll, expect, test } from "vitest";
import type { RetraceDomain } from "../../schemas/index.ts";
import { type Client, connect } from "../../src/wire/client.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";

let runtime: TestRuntime;
let client: Client<RetraceDomain>;

beforeAll(async () => {
  runtime = await startRuntime({ dataDir: tempDir() });
  client = await connect<RetraceDomain>({ servers: runtime.url });
});

afterAll(() => client.close());

test("an update reads, decides, and decides again when others were faster", async () => {
  await client.send("training-run", "contested", { type: "StartTraining", data: {} });
  const raise = () =>
    client.update(
      "training-run",
      "contested",
      (state) => ({ type: "RecordProgress", data: { step: state?.version ?? 0 } }),
      { attempts: 50 },
    );

  const replies = await Promise.all(Array.from({ length: 20 }, raise));

  expect(replies.map((reply) => reply?.version).sort((a, b) => Number(a) - Number(b))).toEqual(
    Array.from({ length: 20 }, (_, i) => i + 2),
  );
});

test("an update of an empty stream starts from nothing, and one that decides nothing sends nothing", async () => {
  const started = await client.update("training-run", "fresh", (state) =>
    state === undefined ? { type: "StartTraining", data: {} } : undefined,
  );
  const again = await client.update("training-run", "fresh", (state) =>
    state === undefined ? { type: "StartTraining", data: {} } : undefined,
  );

  expect(started?.version).toBe(1);
  expect(again).toBeUndefined();
});

test("an update gives up after so many conflicts, with the conflict", async () => {
  await client.send("training-run", "busy", { type: "StartTraining", data: {} });
  let decisions = 0;
  const update = client.update(
    "training-run",
    "busy",
    (state) => {
      decisions += 1;
      return { type: "RecordProgress", data: { step: state?.version ?? 0 } };
    },
    { attempts: 1 },
  );
  const faster = client.send("training-run", "busy", { type: "RecordProgress", data: { step: 1 } });
  const outcomes = await Promise.allSettled([update, faster]);

  expect(decisions).toBe(1);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "WRONG_EXPECTED_VERSION" });
  }
});

test("an update tells what the aggregate refuses", async () => {
  const update = client.update("training-run", "never-started", () => ({ type: "CompleteTraining", data: {} }));

  await expect(update).rejects.toMatchObject({ code: "NOT_ALLOWED_IN_STATE" });
});

test("without retries the first answer counts", async () => {
  const nobody = await connect<RetraceDomain>({ servers: runtime.url, prefix: "nobody" });
  const from = performance.now();
  const send = nobody.send("training-run", "r1", { type: "StartTraining", data: {} }, { retry: false });

  await expect(send).rejects.toMatchObject({ code: "BUS_UNAVAILABLE", message: expect.stringContaining("no runtime") });
  expect(performance.now() - from).toBeLessThan(9_000);
  await nobody.close();
});
