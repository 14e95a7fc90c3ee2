/** However the events of a log are handed over, rows are those made from the log: each event counts once, in its order. */
import fc from "fast-check";
import type { RecordedEvent } from "retrace";
import { expect, test } from "vitest";
import { openSagas } from "../../sagas/setting.ts";
import { moves, piece, pieces } from "./pieces.ts";

/** Which events of the log a delivery has, as parts of its length: any, in any order, some of them twice. */
const deliveries = fc.array(fc.array(fc.nat(99), { minLength: 1, maxLength: 8 }), { maxLength: 12 });

test("late, repeated, reordered and lost deliveries give the same rows", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 30 }), deliveries, async (count, drawn) => {
      const one = pieces({ mode: "async" });
      const { store, reactor, options } = await openSagas([piece, one]);
      await store.append(moves(count));
      const log = [...store.readAll()];
      for (const places of drawn) {
        const events = places.map((place) => log[Math.floor((place * log.length) / 100)] as RecordedEvent);
        await reactor.react(events);
        expect(reactor.position).toBe(Math.max(reactor.position, ...events.map(({ position }) => position)));
      }
      await reactor.react(log);

      const rows = options.rows(store as never, { projection: one.name, limit: 1_000 });
      const undisturbed = await openSagas([piece, one]);
      await undisturbed.store.append(moves(count));
      await undisturbed.settle();
      expect(rows).toEqual(
        undisturbed.options.rows(undisturbed.store as never, { projection: one.name, limit: 1_000 }),
      );
      expect(rows.find(({ key }) => key === "all")?.value).toMatchObject({ moves: count });
    }),
    { seed: 11, numRuns: 50 },
  );
});
