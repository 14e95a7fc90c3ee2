/** The two parts that keep order and position, by themselves: laws over arbitrary histories. */
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Ended, Lanes, Slots } from "../../src/wire/subscription-lanes.ts";
import { Parked } from "../../src/wire/subscription-parked.ts";
import { Progress, type Reached } from "../../src/wire/subscription-progress.ts";

describe("the progress", () => {
  const step = fc.record({
    what: fc.constantFrom("next", "again", "fail", "settle", "process"),
    which: fc.nat(),
    gap: fc.integer({ min: 1, max: 3 }),
  });

  test("knows what is open, also in the next process, whatever comes and is settled in whatever order", () => {
    const law = fc.property(fc.integer({ min: 0, max: 5 }), fc.array(step, { maxLength: 80 }), (start, steps) => {
      let progress = new Progress({ upTo: start, open: {} });
      const given: number[] = [];
      const open = new Map<number, number>();
      let inHand = new Set<number>();
      for (const { what, which, gap } of steps) {
        const some = given[which % Math.max(1, given.length)];
        if (what === "next" || some === undefined) {
          const next = (given.at(-1) ?? start) + gap;
          expect(progress.give(next)).toBe("new");
          given.push(next);
          open.set(next, 0);
          inHand.add(next);
        } else if (what === "again") {
          expect(progress.give(some)).toBe(!open.has(some) ? "settled" : inHand.has(some) ? "open" : "new");
          if (open.has(some)) inHand.add(some);
        } else if (what === "fail" && inHand.has(some) && open.has(some)) {
          progress.fail(some);
          open.set(some, (open.get(some) ?? 0) + 1);
        } else if (what === "settle" && inHand.has(some)) {
          progress.settle(some);
          open.delete(some);
        } else if (what === "process") {
          progress = new Progress(JSON.parse(JSON.stringify(progress.reached)) as Reached);
          inHand = new Set();
        }
        const oldest = Math.min(...open.keys());
        expect(progress.position).toBe(open.size > 0 ? oldest - 1 : (given.at(-1) ?? start));
        expect(progress.open).toBe(open.size);
        for (const [position, failures] of open) expect(progress.failures(position)).toBe(failures);
      }
    });
    fc.assert(law, { numRuns: 500 });
  });
});

describe("lanes and slots", () => {
  test("run jobs of one stream one after another, in order, and at most so many at a time", async () => {
    const job = fc.record({
      stream: fc.integer({ min: 0, max: 4 }),
      turns: fc.integer({ min: 0, max: 4 }),
      fails: fc.boolean(),
    });
    const law = fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(job, { maxLength: 40 }),
      async (limit, jobs) => {
        const failures: unknown[] = [];
        const lanes = new Lanes((error) => failures.push(error));
        const slots = new Slots(limit, () => true);
        const done = new Map<number, number[]>();
        const busy = new Set<number>();
        let running = 0;
        for (const [i, { stream, turns, fails }] of jobs.entries()) {
          lanes.add(String(stream), async () => {
            expect(busy.has(stream)).toBe(false);
            busy.add(stream);
            await slots.enter();
            running += 1;
            expect(running).toBeLessThanOrEqual(limit);
            for (let t = 0; t < turns; t++) await turn();
            running -= 1;
            slots.leave();
            done.set(stream, [...(done.get(stream) ?? []), i]);
            busy.delete(stream);
            if (fails) throw new Error("a bug");
          });
        }
        await lanes.idle();
        expect(failures).toHaveLength(jobs.filter(({ fails }) => fails).length);
        for (const [stream, order] of done) {
          expect(order).toEqual(jobs.flatMap((each, i) => (each.stream === stream ? [i] : [])));
        }
        expect([...done.values()].flat()).toHaveLength(jobs.length);
      },
    );
    await fc.assert(law, { numRuns: 100 });
  });

  test("forget what has not begun when they end, and refuse who waits for a slot", async () => {
    const lanes = new Lanes(() => {});
    const slots = new Slots(1, () => true);
    const done: string[] = [];
    await slots.enter();
    lanes.add("a", async () => {
      await expect(slots.enter()).rejects.toBeInstanceOf(Ended);
      done.push("first");
    });
    lanes.add("a", async () => void done.push("second"));
    lanes.end();
    slots.end();
    await lanes.idle();
    lanes.add("a", async () => void done.push("third"));
    await lanes.idle();
    await expect(slots.enter()).rejects.toBeInstanceOf(Ended);
    expect(done).toEqual(["first"]);
  });

  test("give nothing away while they may not", async () => {
    let isOpen = false;
    const slots = new Slots(2, () => isOpen);
    const entered = [slots.enter(), slots.enter(), slots.enter()];
    await turn();
    expect(slots.running).toBe(0);
    isOpen = true;
    slots.look();
    await Promise.all(entered.slice(0, 2));
    expect(slots.running).toBe(2);
    slots.leave();
    await entered[2];
  });
});

describe("what is parked", () => {
  const letters = [
    { position: 3, stream: "a", state: "parked" },
    { position: 5, stream: "a", state: "held" },
    { position: 6, stream: "b", state: "retry" },
    { position: 8, stream: "a", state: "retry" },
  ] as const;

  test("holds up what comes behind it where streams wait, and nothing that comes again from before it", () => {
    const waiting = new Parked("wait");
    waiting.replaceAll(letters);
    expect([2, 3, 4, 9].map((position) => waiting.isHeldUp("a", position))).toEqual([false, false, true, true]);
    expect(waiting.isHeldUp("c", 9)).toBe(false);
    const going = new Parked("continue");
    going.replaceAll(letters);
    expect(going.isHeldUp("a", 9)).toBe(false);
  });

  test("is due in order where streams wait, and otherwise whatever may be", () => {
    const waiting = new Parked("wait");
    waiting.replaceAll(letters);
    expect([waiting.due("a"), waiting.due("b"), waiting.due("c")]).toEqual([undefined, 6, undefined]);
    waiting.delete(3);
    expect(waiting.due("a")).toBe(5);
    waiting.set({ position: 5, stream: "a", state: "parked" });
    expect([waiting.due("a"), waiting.count]).toEqual([undefined, 3]);
    const going = new Parked("continue");
    going.replaceAll(letters);
    expect([going.due("a"), going.due("b")]).toEqual([5, 6]);
  });
});
