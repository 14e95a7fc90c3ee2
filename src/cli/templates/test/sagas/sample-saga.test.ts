/** Commands go in, and days go by on a clock that stands: no runtime, no broker, no waiting. */
import { type DrivenSagas, openSagas } from "retrace/testing";
import { beforeEach, describe, expect, test } from "vitest";
import aggregate from "../../actors/aggregates/sample-item.ts";
import saga from "../../actors/sagas/sample-saga.ts";
import type { sampleItemSchemas } from "../../schemas/sample-item.ts";

const dayMs = 86_400_000;
/** A saga does not react to what is recorded long after it has occurred. */
const unseen = { occurredAt: "2025-01-01T00:00:00Z" };

let sagas: DrivenSagas<Record<"sample-item", typeof sampleItemSchemas>>;

beforeEach(async () => {
  sagas = await openSagas([aggregate, saga]);
});

const history = () => sagas.history("sample-item", "x1");
const types = () => history().map(({ type }) => type);
const instance = () => sagas.instance("sample-saga", "x1");

async function draft(title: string): Promise<void> {
  await sagas.send("sample-item", "x1", { type: "DraftSampleItem", data: { title } });
}

describe("sample-saga", () => {
  test("publishes a draft that has rested for a day", async () => {
    await draft("first");
    await sagas.pass(dayMs - 1);
    expect(types()).toEqual(["SampleItemDrafted"]);

    await sagas.pass(1);
    expect(history().at(-1)).toMatchObject({
      type: "SampleItemPublished",
      data: { revision: 1, title: "first" },
      metadata: { actor: { id: "saga:sample-saga" } },
    });
  });

  test("lets a draft that has changed rest anew, and goes on from the newest revision", async () => {
    await draft("first");
    await sagas.pass(dayMs);
    await draft("second");
    await sagas.pass(dayMs / 2);
    await draft("third");
    await sagas.pass(dayMs / 2);
    expect(instance()).toMatchObject({ status: "running", state: "resting", context: { revision: 1 } });

    await sagas.pass(dayMs / 2);
    expect(history().at(-1)?.data).toEqual({ revision: 2, title: "third" });
  });

  test("archives what cannot be published, and is over", async () => {
    await draft("untitled");
    await sagas.pass(dayMs);
    expect(types()).toEqual(["SampleItemDrafted", "SampleItemArchived"]);
    expect(instance()).toMatchObject({ status: "ended", state: "over" });
  });

  test("gives way to whoever was faster", async () => {
    await draft("first");
    const publish = { type: "PublishSampleItem", data: { revision: 1 } } as const;
    await sagas.send("sample-item", "x1", publish, unseen);
    await sagas.pass(dayMs);
    expect(types()).toEqual(["SampleItemDrafted", "SampleItemPublished"]);
    expect(instance()).toMatchObject({ status: "running", state: "idle" });
  });

  test("follows its policy", async () => {
    await sagas.setPolicy("sample-saga", { restMs: 1000, reason: "a new house rule" });
    await draft("untitled");
    await sagas.pass(1000);
    expect(history().at(-1)?.data).toEqual({ reason: "a new house rule" });
  });
});
