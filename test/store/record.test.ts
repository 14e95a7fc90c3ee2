import assert from "node:assert/strict";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeEvent, encodeEvent, pack, unpack } from "../../src/store/record.ts";
import { sampleEvent } from "../../src/testing/conformance/sample.ts";
import { data, newEvent } from "./arbitraries.ts";

test("decodes every event to what was encoded, at its position, with the position before it in its stream", () => {
  const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(newEvent, number, number, number, (event, version, position, previous) => {
      const stored = { ...event, version };
      const decoded = decodeEvent(encodeEvent(stored, previous), position);
      assert.deepEqual(decoded, { event: { ...stored, position }, previous });
    }),
    { seed: 1, numRuns: 1_000 },
  );
});

test("unpacks every value to what was packed", () => {
  fc.assert(
    fc.property(data, (value) => assert.deepEqual(unpack(pack(value)), value)),
    { seed: 1, numRuns: 1_000 },
  );
});

test("tells apart ids that equal the command id, ids that do not, and what is absent", () => {
  const command = { correlationId: "k", causationId: "k", commandId: "k" };
  for (const metadata of [
    command,
    { ...command, correlationId: "c" },
    { ...command, causationId: "e" },
    { ...command, actor: { id: "", verified: false } },
    { ...command, traceparent: "" },
  ]) {
    const event = { ...sampleEvent("a-1", { metadata }), version: 1 };
    expect(decodeEvent(encodeEvent(event, 0), 1).event).toStrictEqual({ ...event, position: 1 });
  }
});

test("copies bytes out of what it unpacks from, because lmdb reads over it", () => {
  const buffer = pack({ bytes: Buffer.from("kept") });
  const { bytes } = unpack(buffer) as { bytes: Uint8Array };
  buffer.fill(0);

  expect(Buffer.from(bytes).toString()).toBe("kept");
});

test("refuses a time that it could not read back", () => {
  for (const field of ["occurredAt", "recordedAt"]) {
    expect(() => encodeEvent({ ...sampleEvent("a-1"), version: 1, [field]: "soon" }, 0)).toThrow("not a time: soon");
  }
});
