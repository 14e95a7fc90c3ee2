/** Random events and values for the laws of the stores. */
import fc from "fast-check";
import type { NewEvent } from "../../src/core/message.ts";
import { at } from "../../src/testing/conformance/sample.ts";

/** Text of any code points; halves of surrogate pairs have no UTF-8. */
export const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }));

const leaf = fc.oneof(
  text,
  fc.boolean(),
  fc.constantFrom(null, undefined, Number.NaN, Number.POSITIVE_INFINITY, new Date(1_700_000_000_123)),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double().map((value) => value + 0),
);

/** What data may hold. Left out: the sign of -0, and the field `__proto__`, which msgpackr renames. */
export const data = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      text.filter((key) => key !== "__proto__"),
      tie("value"),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
})).value;

/** What events are about: few of each, so that they meet; some names begin alike. */
export const categories = ["a", "b", "a-b"];
export const names = ["1", "1-2", "2", "b-1"];
export const types = ["Made", "MadeTwice", "Kept"];
export const correlations = ["c1", "c2"];

const seconds = fc.integer({ min: 0, max: 20 });

/** Events of few streams, types, conversations and times. */
export const newEvent: fc.Arbitrary<NewEvent> = fc
  .record({
    id: fc.uuid(),
    category: fc.constantFrom(...categories),
    name: fc.constantFrom(...names),
    type: fc.constantFrom(...types),
    schemaVersion: fc.integer({ min: 1, max: 300 }),
    data,
    occurred: seconds,
    recorded: seconds,
    correlationId: fc.constantFrom("", ...correlations),
    causationId: fc.constantFrom("", "k1"),
    actor: fc.option(fc.record({ id: text, verified: fc.boolean() }, { noNullPrototype: true }), { nil: undefined }),
    traceparent: fc.option(text, { nil: undefined }),
  })
  .map(({ category, name, occurred, recorded, correlationId, causationId, actor, traceparent, id, ...fields }) => ({
    ...fields,
    id,
    category,
    stream: `${category}-${name}`,
    occurredAt: at(occurred),
    recordedAt: at(recorded),
    metadata: {
      commandId: `command-${id}`,
      correlationId: correlationId || `command-${id}`,
      causationId: causationId || `command-${id}`,
      ...(actor === undefined ? {} : { actor }),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
  }));
