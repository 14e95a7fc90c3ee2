/**
 * Commands of every type of every aggregate, most of them a little or wholly wrong, sent to a real runtime: whatever comes
 * in, the answer is a reply or an error that the sender can do something about, never a bug. Free of vitest.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Aggregate } from "retrace";
import { type AddressedCommand, type Client, connect } from "retrace";
import { builtInActors } from "../../src/runtime/actor-files.ts";
import { loadActors } from "../../src/runtime/loader.ts";
import { arbitraryData } from "../actors/arbitrary-command.ts";

/** What to send, and to whom. */
export interface FuzzOptions {
  /** Where a runtime with the built-in actors serves. */
  readonly url: string;
  readonly inputs: number;
  readonly seed: number;
  /** Called now and then with how many were answered. */
  readonly onProgress?: (answered: number) => void;
}

/** What came of it. */
export interface FuzzReport {
  readonly inputs: number;
  readonly seed: number;
  /** Replies as `accepted`, errors by their code, and rejections by their reason. */
  readonly answers: Readonly<Record<string, number>>;
  /** Commands that were accepted at least once, of all there are. */
  readonly accepted: string;
}

const streamsPerCategory = 40;
/** What says that the runtime, and not the sender, is at fault. */
const bugs = new Set(["INTERNAL", "UNREADABLE_EVENT", "STORE_UNAVAILABLE", "BUS_UNAVAILABLE"]);

/** Sends, checks every answer, and in the end reads every stream back. @throws AssertionError naming the input. */
export async function fuzzRun({ url, inputs, seed, onProgress }: FuzzOptions): Promise<FuzzReport> {
  const { aggregates } = await loadActors([builtInActors]);
  const all = [...aggregates.values()].map(({ aggregate }) => aggregate);
  const client = await connect({ servers: url });
  const answers: Record<string, number> = {};
  const accepted = new Set<string>();
  let answered = 0;
  try {
    for await (const { command, reply, fault } of client.sendMany(commands(all, inputs, seed))) {
      const shown = (): string => `seed ${seed}, input ${answered + 1}: ${JSON.stringify(command)}`;
      assert(fault === undefined || !bugs.has(fault.code), `${fault?.code}: ${fault?.message}\n${shown()}`);
      const { code, details } = fault ?? {};
      const answer = code === "REJECTED" ? `REJECTED ${details?.reason}` : (code ?? "accepted");
      answers[answer] = (answers[answer] ?? 0) + 1;
      if (reply !== undefined) accepted.add(`${command.category}.${command.command.type}`);
      answered += 1;
      if (answered % 1_000 === 0) onProgress?.(answered);
    }
    for (const { category } of all) await readBack(client, category);
  } finally {
    await client.close();
  }
  const types = all.reduce((sum, { schemas }) => sum + Object.keys(schemas.commands).length, 0);
  return { inputs: answered, seed, answers, accepted: `${accepted.size} of ${types}` };
}

/** What was taken in can be read: the newest state, and the one in the middle. */
async function readBack(client: Client, category: string): Promise<void> {
  for (let n = 0; n < streamsPerCategory; n++) {
    const id = `f${n}`;
    const head = await client.state(category, id).catch((error: { readonly code?: string }) => error);
    if ("code" in head) {
      assert.equal(head.code, "NOT_FOUND", `${category}-${id}`);
      continue;
    }
    const { version } = head as { readonly version: number };
    await client.state(category, id, { atVersion: Math.ceil(version / 2) });
  }
}

function* commands(all: readonly Aggregate[], inputs: number, seed: number): Generator<AddressedCommand> {
  const one = fc.oneof(...all.map((aggregate) => arbitraryCommand(aggregate)));
  for (let made = 0; made < inputs; ) {
    const count = Math.min(1_000, inputs - made);
    yield* fc.sample(one, { numRuns: count, seed: seed + made });
    made += count;
  }
}

function arbitraryCommand({ category, schemas }: Aggregate): fc.Arbitrary<AddressedCommand> {
  const id = fc.nat({ max: streamsPerCategory - 1 }).map((n) => `f${n}`);
  const perType = Object.entries(schemas.commands).map(([type, schema]) => {
    const fitting = arbitraryData(schema);
    const data = fc.oneof(
      { weight: 6, arbitrary: fitting },
      { weight: 3, arbitrary: spoilt(fitting) },
      { weight: 1, arbitrary: fc.jsonValue() },
    );
    return fc.record({ id, data, options: arbitraryOptions }).map(({ id, data, options }) => ({
      category,
      id,
      command: { type, data },
      options,
    }));
  });
  return fc.oneof(...perType);
}

/** One field is another value, is missing, or is one too many. */
function spoilt(fitting: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.tuple(fitting, fc.nat(), strange).map(([data, index, value]) => {
    if (typeof data !== "object" || data === null) return value;
    const names = [...Object.keys(data), "unknownField"];
    return { ...data, [names[index % names.length] as string]: value };
  });
}

const strange = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: "binary" }).filter((text) => !/\p{Surrogate}/u.test(text)),
  fc.constantFrom<unknown>("", " ", "\u0000", "constructor", "x".repeat(5_000), -1, 2 ** 53, 1e308, -0, [], {}, null),
  fc.constant(Array.from({ length: 1_500 }, (_, i) => i)),
);

/** Mostly none: a version that is wrong would hide everything else. */
const arbitraryOptions = fc.oneof(
  { weight: 8, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.record({ expectedVersion: fc.nat({ max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ commandId: fc.constantFrom("one", "two") }) },
  { weight: 1, arbitrary: fc.record({ occurredAt: fc.constantFrom("2020-01-01T00:00:00Z", "yesterday", "") }) },
  { weight: 1, arbitrary: fc.record({ actor: fc.constantFrom("ada", "läufer", "a\nb", "") }) },
);
