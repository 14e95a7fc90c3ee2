/**
 * Walks an aggregate by generated commands, from the empty stream to as many of its states as it can: those of its
 * chart and those of its parts. The walk is the same for the same seed.
 */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import type { Aggregate, ChartEvent } from "retrace";
import type { StateValue } from "xstate";
import { decideCommand, evolve } from "../../src/core/aggregate.ts";
import { type ChartState, initialState } from "../../src/core/chart.ts";
import { versioned } from "../../src/core/schema.ts";
import { arbitraryData, type RawCommand } from "./arbitrary-command.ts";
import { leavesIn } from "./chart-paths.ts";

/** A command that was decided, with all that the decision depended on. */
export interface Step extends RawCommand {
  readonly now: string;
  readonly actor: string;
}

/** How a command can be decided. */
export type Outcome = "accepted" | "rejected" | "refused";

/** What a walk has seen. */
export interface Explored {
  /** For each leaf of the chart the shortest commands found that lead there. */
  readonly states: ReadonlyMap<string, readonly Step[]>;
  /** Likewise for the parts: by the part's name, then by the leaf of its chart. */
  readonly parts: ReadonlyMap<string, ReadonlyMap<string, readonly Step[]>>;
  /** The state values of the chart, as JSON. */
  readonly values: ReadonlySet<string>;
  /** The types of event that were decided. */
  readonly events: ReadonlySet<string>;
  /** By state value as JSON, then by command: how it was decided there. */
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<Outcome>>>;
  /** What must not happen: a throw, an event that does not fit its schema. Each once, with commands that lead to it. */
  readonly problems: readonly string[];
  /** How many commands were decided. */
  readonly decisions: number;
}

/** Where to go, and how far at most. */
export interface ExploreOptions {
  readonly seed: number;
  /** Commands to decide even when the walk has seen enough before. */
  readonly minDecisions: number;
  /** Commands to decide before the walk gives up. */
  readonly maxDecisions: number;
  /** Sequences from the empty stream that the walk begins with. @throws AssertionError when one is not accepted. */
  readonly byHand?: readonly (readonly RawCommand[])[];
  /** Asked after each round; the walk ends when it has seen enough. */
  readonly isEnough: (explored: Explored) => boolean;
}

/** How much data is generated for each command at each place. */
const triesPerVisit = 10;

/** A state that the walk has reached. Its commands are a list that shares its beginnings with other places. */
interface Place {
  readonly state: ChartState;
  readonly version: number;
  readonly now: number;
  readonly parts: Readonly<Record<string, Readonly<Record<string, StateValue>>>>;
  readonly before?: { readonly place: Place; readonly step: Step };
  readonly length: number;
}

/** Walks. */
export function explore(aggregate: Aggregate, options: ExploreOptions): Explored {
  const walk = new Walk(aggregate, options.seed);
  for (const sequence of options.byHand ?? []) walk.follow(sequence);
  const { minDecisions, maxDecisions, isEnough } = options;
  while (walk.decisions < minDecisions || (walk.decisions < maxDecisions && !isEnough(walk))) walk.visitNext();
  return walk;
}

class Walk implements Explored {
  readonly states = new Map<string, readonly Step[]>();
  readonly parts = new Map<string, Map<string, readonly Step[]>>();
  readonly values = new Set<string>();
  readonly events = new Set<string>();
  readonly outcomes = new Map<string, Map<string, Set<Outcome>>>();
  readonly #problems = new Map<string, string>();
  decisions = 0;

  readonly #aggregate: Aggregate;
  readonly #start: Place;
  /** Places with something new in them, the oldest first. */
  readonly #news: Place[] = [];
  readonly #known = new Set<string>();
  /** All places, by the state of the chart, in it by the states of the parts, so that rare ones are not starved. */
  readonly #charted = new Group<Group<Alike>>();
  readonly #commands: readonly { readonly type: string; readonly data: fc.Arbitrary<unknown> }[];
  #here: Place;
  #seed: number;

  constructor(aggregate: Aggregate, seed: number) {
    this.#aggregate = aggregate;
    this.#seed = seed;
    const state = initialState(aggregate.machine);
    freezeDeep(state.context);
    this.#start = { state, version: 0, now: Date.UTC(2026, 0, 1), parts: {}, length: 0 };
    this.#here = this.#start;
    const known = {
      strings: () => stringsIn(this.#here.state.context),
      integers: () => [this.#here.version, ...integersIn(this.#here.state.context)],
      times: () => [0.5, 26, 24 * 40].map((hours) => at(this.#here.now + hours * hourMs)),
    };
    this.#commands = Object.entries(aggregate.schemas.commands).map(([type, schema]) => ({
      type,
      data: arbitraryData(schema, known),
    }));
    for (const part of aggregate.parts) {
      const initial = leavesIn(initialState(part.machine).value).map((leaf) => [leaf, []] as const);
      this.parts.set(part.name, new Map(initial));
    }
    this.#keep(this.#start);
  }

  get problems(): string[] {
    return [...this.#problems.values()];
  }

  follow(sequence: readonly RawCommand[]): void {
    let place = this.#start;
    for (const [index, command] of sequence.entries()) {
      const next = this.#decide(place, { ...command, now: at(place.now), actor: "ada" });
      assert(
        typeof next === "object",
        `${this.#aggregate.category}, by hand: command ${index + 1} of ${show(sequence)} is ${next}`,
      );
      this.#keep(next);
      place = next;
    }
  }

  /** Tries every command, several times: in turns at a place with something new, and at the one that was tried least. */
  visitNext(): void {
    const news = this.#news.shift();
    if (news !== undefined) this.#visit(news);
    this.#visit(this.#charted.next().next().next());
  }

  #visit(place: Place): void {
    this.#here = place;
    for (const { type, data } of this.#commands) {
      this.#seed += 1;
      for (const [index, one] of fc.sample(data, { numRuns: triesPerVisit, seed: this.#seed }).entries()) {
        const pause = [1, 1000, hourMs, 25 * hourMs][index % 4] as number;
        const actor = ["ada", "a", "b"][(index + this.#seed) % 3] as string;
        const next = this.#decide(place, { type, data: one, now: at(place.now + pause), actor });
        if (typeof next === "object") this.#keep(next);
      }
    }
  }

  /** The place after the command, or how else it was decided; `invalid` when its schema refuses it. */
  #decide(place: Place, step: Step): Place | Exclude<Outcome, "accepted"> | "invalid" | "unsound" {
    const parsed = this.#aggregate.schemas.commands[step.type]?.safeParse(step.data);
    if (parsed?.success !== true) return "invalid";
    this.decisions += 1;
    try {
      const outcome = decided(this.#aggregate, place, { ...step, data: parsed.data });
      this.#note(place, step.type, outcome.outcome);
      if (outcome.outcome !== "accepted") return outcome.outcome;
      for (const event of outcome.events) assertRecordable(this.#aggregate, event);
      for (const { type } of outcome.events) this.events.add(type);
      freezeDeep(outcome.state.context);
      return {
        state: outcome.state,
        version: place.version + outcome.events.length,
        now: Date.parse(step.now),
        parts: this.#partsAfter(place, outcome.events),
        before: { place, step },
        length: place.length + 1,
      };
    } catch (error) {
      const { category } = this.#aggregate;
      const problem = `${category} in ${show(place.state.value)}, ${step.type}: ${(error as Error).message}`;
      if (!this.#problems.has(problem))
        this.#problems.set(problem, `${problem}\n  by ${show([...stepsTo(place), step])}`);
      return "unsound";
    }
  }

  #note(place: Place, type: string, outcome: Outcome): void {
    const value = show(place.state.value);
    const byCommand = this.outcomes.get(value) ?? new Map<string, Set<Outcome>>();
    byCommand.set(type, (byCommand.get(type) ?? new Set<Outcome>()).add(outcome));
    this.outcomes.set(value, byCommand);
  }

  #partsAfter(place: Place, events: readonly ChartEvent[]): Place["parts"] {
    const keys = new Map(Object.entries(place.parts).map(([name, states]) => [name, new Set(Object.keys(states))]));
    let state = place.state;
    for (const event of events) {
      const context = state.context as never;
      for (const part of this.#aggregate.parts) {
        if (!part.machine.events.includes(event.type) || !part.accepts(context, event)) continue;
        const all = keys.get(part.name) ?? new Set<string>();
        all.add(part.keyOf(event));
        keys.set(part.name, all);
      }
      const next = evolve(this.#aggregate, state, event);
      assert(next.outcome === "evolved");
      state = next.state;
    }
    const context = state.context as never;
    const statesNow = this.#aggregate.parts.map((part) => {
      const all = new Set([...(keys.get(part.name) ?? []), ...part.keys(context)]);
      return [part.name, Object.fromEntries([...all].map((key) => [key, part.stateOf(context, key)]))];
    });
    return Object.fromEntries(statesNow);
  }

  #keep(place: Place): void {
    this.values.add(show(place.state.value));
    const steps = () => stepsTo(place);
    for (const leaf of leavesIn(place.state.value)) keepShortest(this.states, leaf, place.length, steps);
    for (const [name, states] of Object.entries(place.parts)) {
      const found = this.parts.get(name) as Map<string, readonly Step[]>;
      const leaves = new Set(Object.values(states).flatMap(leavesIn));
      for (const leaf of leaves) keepShortest(found, leaf, place.length, steps);
    }
    const value = show(place.state.value);
    const features = featuresOf(place);
    const alike = this.#charted
      .at(value, () => new Group<Alike>())
      .at(show(Object.values(place.parts).map(distinctStates)), () => new Alike());
    alike.keep(place, features);
    const news = features.map((feature) => `${value} ${feature}`).filter((feature) => !this.#known.has(feature));
    for (const feature of news) this.#known.add(feature);
    if (news.length > 0) this.#news.push(place);
  }
}

/** Things by key, each to be visited as often as the others. */
class Group<Item> {
  readonly #items = new Map<string, { item: Item; visits: number }>();

  /** What is there, else what is made. */
  at(key: string, make: () => Item): Item {
    const known = this.#items.get(key)?.item ?? make();
    if (!this.#items.has(key)) this.#items.set(key, { item: known, visits: 0 });
    return known;
  }

  /** Puts a thing in the place of another, as one not visited yet. */
  set(key: string, item: Item): void {
    this.#items.set(key, { item, visits: 0 });
  }

  /** The one visited least, of these the oldest. */
  next(): Item {
    let least: { item: Item; visits: number } | undefined;
    for (const one of this.#items.values()) if (least === undefined || one.visits < least.visits) least = one;
    assert(least !== undefined);
    least.visits += 1;
    return least.item;
  }
}

/** Places in the same states of chart and parts. One is kept when something in its context is new among them. */
class Alike extends Group<Place> {
  readonly #seen = new Set<string>();
  readonly #lengths = new Map<string, number>();

  keep(place: Place, features: readonly string[]): void {
    const key = show(features);
    const isNew = features.some((feature) => !this.#seen.has(feature));
    const isShorter = place.length < (this.#lengths.get(key) ?? 0);
    if (!isNew && !isShorter) return;
    for (const feature of features) this.#seen.add(feature);
    this.#lengths.set(key, place.length);
    this.set(key, place);
  }
}

/** The same commands decided again, each as it was then; for a test that what the walk found holds without the walk. */
export function replay(aggregate: Aggregate, steps: readonly Step[]): ChartState {
  let state = initialState(aggregate.machine);
  let version = 0;
  for (const step of steps) {
    const data = aggregate.schemas.commands[step.type]?.parse(step.data);
    const outcome = decided(aggregate, { state, version }, { ...step, data });
    assert(outcome.outcome === "accepted", `${step.type} was accepted before and is ${outcome.outcome} now`);
    version += outcome.events.length;
    state = outcome.state;
  }
  return state;
}

const hourMs = 3_600_000;

function at(ms: number): string {
  return new Date(ms).toISOString();
}

function decided(aggregate: Aggregate, { state, version }: Pick<Place, "state" | "version">, step: Step) {
  const { type, data, now, actor } = step;
  const metadata = { correlationId: "c", causationId: "c", commandId: "c", actor: { id: actor, verified: false } };
  let next = version;
  return decideCommand(aggregate, {
    state,
    version,
    command: { type, data, occurredAt: now, metadata },
    context: { id: "x1", now },
    newId: () => `e${++next}`,
  });
}

function stepsTo({ before }: Place): Step[] {
  return before === undefined ? [] : [...stepsTo(before.place), before.step];
}

function keepShortest(
  found: Map<string, readonly Step[]>,
  leaf: string,
  length: number,
  steps: () => readonly Step[],
): void {
  const known = found.get(leaf);
  if (known === undefined || length < known.length) found.set(leaf, steps());
}

function distinctStates(states: Readonly<Record<string, StateValue>>): string[] {
  return [...new Set(Object.values(states).map(show))].sort();
}

/** What a context holds, from afar: which fields, how much in each, and how many parts in each state. */
function featuresOf({ state, parts }: Place): string[] {
  const counts = Object.entries(parts).flatMap(([name, states]) => {
    const all = Object.values(states).map(show);
    return [...new Set(all)].map((one) => `${name} ${one} ${few(all.filter((other) => other === one).length)}`);
  });
  return [...counts, ...shapesIn(state.context, "")].sort();
}

function shapesIn(value: unknown, path: string): string[] {
  if (typeof value === "number") return [`${path} ${few(value)}`];
  if (typeof value !== "object" || value === null)
    return [`${path} ${typeof value === "boolean" ? value : typeof value}`];
  const fields = Object.entries(value);
  const isDeep = path.split(".").length > 3;
  const inner = Array.isArray(value) || isDeep ? [] : fields.flatMap(([key, one]) => shapesIn(one, `${path}.${key}`));
  return [`${path} ${few(fields.length)}`, ...inner];
}

/** More than three are many. */
function few(count: number): number {
  return Math.max(-1, Math.min(4, Math.floor(count)));
}

/** Texts in a context, names of its inner fields included, because many are ids. */
function stringsIn(context: object): string[] {
  const found = new Set<string>();
  const add = (one: unknown) => typeof one === "string" && one.length <= 256 && found.add(one);
  for (const value of Object.values(context)) visitDeep(value, add);
  return [...found];
}

function integersIn(value: unknown): number[] {
  const found = new Set<number>();
  visitDeep(value, (one) => Number.isSafeInteger(one) && found.add(one as number));
  return [...found];
}

function visitDeep(value: unknown, visit: (value: unknown) => void): void {
  visit(value);
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) Object.keys(value).forEach(visit);
  for (const inner of Object.values(value)) visitDeep(inner, visit);
}

/** It fits its schema, and is the same after a trip as JSON. */
function assertRecordable(aggregate: Aggregate, { type, data }: ChartEvent): void {
  const schema = aggregate.schemas.events[type];
  assert(schema !== undefined, `${type} has no schema`);
  const parsed = versioned(schema).schema.safeParse(data);
  assert(parsed.success, `${type} does not fit its schema: ${parsed.error?.message}`);
  assert(isDeepStrictEqual(JSON.parse(JSON.stringify(data)), data), `${type} is not plain JSON: ${show(data)}`);
}

/** Places share their contexts, so a chart that changed one in place would be seen at once. */
function freezeDeep(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) freezeDeep(inner);
}

/** As one line, for keys and for messages. */
export function show(value: unknown): string {
  return JSON.stringify(value);
}
