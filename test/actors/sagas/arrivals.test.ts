/** Real arrivals through `review-routing`: what holds of a queue, however busy it is. */
import { openMemoryStore } from "retrace";
import { beforeAll, describe, expect, test } from "vitest";
import { instanceCounts } from "../../../src/runtime/sagas/reaction.ts";
import { absentArrivals, readArrivals } from "./arrivals-data.ts";
import { coursesIn, endOf, queueFigures, type ReviewCourse, waitsMs } from "./arrivals-figures.ts";
import { type Replay, replay } from "./arrivals-run.ts";

/** The first of the month; `npm run torture -- arrivals` takes all. Leases are short, so that some end. */
function replayShare(): Promise<Replay> {
  const rules = { leaseMinutes: 3, dueDays: 4 };
  return replay(readArrivals().slice(0, 40), rules, { store: openMemoryStore("arrivals") });
}

/** Nobody holds two places in a review, and never are more places taken than there are. */
function expectPlacesKept({ id, k: asked, events }: ReviewCourse): void {
  let k = asked;
  const leases = new Map<string, number>();
  const voted = new Set<string>();
  for (const { type, data, recordedAt } of events) {
    const { reviewer = "", leaseUntil = "" } = data as { readonly reviewer?: string; readonly leaseUntil?: string };
    const nowMs = Date.parse(recordedAt);
    if (type === "ReviewExtended") k = (data as { readonly k: number }).k;
    if (type === "ReviewClaimed") {
      expect(leases.has(reviewer) || voted.has(reviewer), `${reviewer} takes a second place in ${id}`).toBe(false);
      leases.set(reviewer, Date.parse(leaseUntil));
    }
    if (type === "ReviewClaimExpired") {
      expect(leases.get(reviewer), `a lease in ${id} that ends`).toBeLessThanOrEqual(nowMs);
      leases.delete(reviewer);
    }
    if (type === "HumanLabelSubmitted") {
      expect(leases.get(reviewer), `${reviewer} votes in ${id} on a lease`).toBeGreaterThan(nowMs);
      leases.delete(reviewer);
      voted.add(reviewer);
    }
    expect(leases.size + voted.size).toBeLessThanOrEqual(k);
  }
}

/** Without the ids: those who build projections draw some as well, when there is time for it. */
function logOf({ sagas: { store } }: Replay): string[] {
  return Array.from(store.readAll({}), (event) => JSON.stringify(event).replaceAll(/"id-\d+"/g, '"id"'));
}

describe.skipIf(absentArrivals !== undefined)("a share of the month", () => {
  let once: Replay;

  beforeAll(async () => {
    once = await replayShare();
  });

  test("every review ends, and nobody ever holds two places in one", async () => {
    const { sagas } = once;
    const courses = coursesIn(sagas.store);
    expect(courses).toHaveLength(40);
    for (const course of courses) {
      expect(endOf(course)).not.toBe("open");
      for (const ms of waitsMs(course)) expect(ms).toBeGreaterThanOrEqual(0);
      expectPlacesKept(course);
    }
    expect(instanceCounts(sagas.store, "review-routing")).toEqual({ running: 0, stuck: 0, timers: 0 });
    const { expiredLeases, escalations, overdue } = queueFigures(sagas.store, "segment");
    for (const count of [expiredLeases, escalations, overdue]) expect(count).toBeGreaterThan(0);
  });

  test("the same arrivals make the same log", async () => {
    const again = await replayShare();
    expect(logOf(again)).toEqual(logOf(once));
    expect(again.refused).toEqual(once.refused);
  });
});
