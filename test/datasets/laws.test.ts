/** Laws of datasets: what was recorded later changes nothing, nor how the log came; a retraction takes away its rows alone. */
import fc from "fast-check";
import type { RecordedEvent } from "retrace";
import { expect, test } from "vitest";
import { buildDataset, type Dataset, provenanceHeader } from "../../actors/datasets/dataset.ts";
import { arbitraryLog, arbitrarySpec } from "./arbitrary-log.ts";
import { logOf } from "./sample-log.ts";

/** The events behind the others. */
function after(before: readonly RecordedEvent[], events: readonly RecordedEvent[]): RecordedEvent[] {
  return events.map((event) => ({
    ...event,
    id: `later-${event.id}`,
    position: event.position + before.length,
  }));
}

test("10,000 events more change no byte of what was built as of before", () => {
  const more = logOf(
    ...Array.from({ length: 2_000 }, (_, i) => [
      ["inference-a", "InferenceCompleted", { output: `later ${i}`, inputFeatures: { text: "later" } }] as const,
      ["feedback-a", "PreferenceLogged", { prompt: "p", chosen: `${i}`, rejected: "r" }] as const,
      ["feedback-a", "FeedbackRetracted", { eventId: `e${i}`, signal: {} }] as const,
      ["feedback-a", "OutputApproved", { context: { requestId: "b" } }] as const,
      ["model-m", "ModelCreated", {}] as const,
    ]).flat(),
  );
  expect(more).toHaveLength(10_000);
  fc.assert(
    fc.property(arbitraryLog(40), arbitrarySpec, (log, spec) => {
      expect(buildDataset([...log, ...after(log, more)], spec, log.length)).toEqual(
        buildDataset(log, spec, log.length),
      );
    }),
    { numRuns: 15 },
  );
});

test("in whatever order and pages the log comes, and however its fields are ordered, the bytes are the same", () => {
  fc.assert(
    fc.property(arbitraryLog(40), arbitrarySpec, fc.infiniteStream(fc.nat()), (log, spec, order) => {
      const keys = new Map(log.map((event) => [event.id, order.next().value as number]));
      const shuffled = [...log].sort((a, b) => (keys.get(a.id) ?? 0) - (keys.get(b.id) ?? 0));
      const turned = shuffled.map((event) => reversed(event) as RecordedEvent);
      expect(buildDataset(turned, spec, log.length)).toEqual(buildDataset(log, spec, log.length));
    }),
  );
});

test("retracting a signal takes away its rows, and no others", () => {
  fc.assert(
    fc.property(arbitraryLog(40), arbitrarySpec, fc.nat({ max: 39 }), (log, spec, number) => {
      const eventId = `e${number + 1}`;
      const retraction = logOf(["feedback-a", "FeedbackRetracted", { eventId, signal: {} }]);
      const before = buildDataset(log, spec, log.length);
      const retracted = buildDataset([...log, ...after(log, retraction)], spec, log.length + 1);
      const kept = rowsOf(before).filter(({ event }) => event !== eventId);
      expect(rowsOf(retracted)).toEqual(kept);
      expect(retracted.rowCount).toBe(kept.length);
    }),
  );
});

test("every event that is meant gives rows or is counted, and rows have one line of provenance each", () => {
  fc.assert(
    fc.property(arbitraryLog(40), arbitrarySpec, (log, spec) => {
      const dataset = buildDataset(log, spec, log.length);
      const rows = rowsOf(dataset);
      const leftOut = Object.values(dataset.leftOut).reduce((sum, events) => sum + events, 0);
      expect(new Set(rows.map(({ event }) => event)).size + leftOut).toBe(
        log.filter(({ type }) => spec.types.includes(type)).length,
      );
      expect(rows).toHaveLength(dataset.rowCount);
      for (const { line } of rows) expect(() => JSON.parse(line)).not.toThrow();
    }),
  );
});

interface Row {
  readonly line: string;
  readonly event: string | undefined;
}

function rowsOf({ data, provenance }: Dataset): Row[] {
  const origins = provenance.slice(provenanceHeader.length).split("\n").slice(0, -1);
  return data
    .split("\n")
    .slice(0, -1)
    .map((line, i) => ({ line, event: origins[i]?.split("\t")[1] }));
}

/** The same value with its fields the other way round. */
function reversed(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(reversed);
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, inner]) => [name, reversed(inner)]),
  );
}
