/** A log that is brought into an empty store, with the sagas' own streams: what sagas did is history, and not done again. */
import { expect, test } from "vitest";
import { importEvents } from "../../src/runtime/admin/import-events.ts";
import { openSagas } from "./setting.ts";
import { buying, order, stock } from "./shop.ts";

const actors = [order, stock, buying];

test("sagas do not react to what is imported, not even between two parts of it", async () => {
  const from = await openSagas(actors);
  await from.send("stock", "s", "Fill", { amount: 1 });
  await from.send("order", "o", "Place", { stock: "s" });
  await from.settle();
  await from.send("order", "o", "Ship");
  await from.settle();
  const log = JSON.parse(JSON.stringify([...from.store.readAll()])) as { position: number }[];

  const to = await openSagas(actors);
  const verb = importEvents(to.store, { apply: () => {}, flush: () => {} });
  for (const event of log) {
    await verb.answer({ afterPosition: event.position - 1, events: [event] });
    await to.settle();
  }
  expect(JSON.parse(JSON.stringify([...to.store.readAll()]))).toEqual(log);

  await to.send("order", "p", "Place", { stock: "s" });
  await to.settle();
  expect(to.story("buying", "p")[0]?.type).toBe("SagaStarted");
});
