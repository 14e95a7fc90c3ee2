/**
 * Every state of every chart can be reached, and every command can be sent in it: proved over the charts alone, then by
 * walking the aggregates with commands, because guards and laws decide what the charts only allow.
 */
import { readdirSync } from "node:fs";
import type { Aggregate } from "retrace";
import { beforeAll, describe, expect, test } from "vitest";
import type { RawCommand } from "./arbitrary-command.ts";
import { leavesIn, pathsThrough } from "./chart-paths.ts";
import { type Explored, explore, replay } from "./explore.ts";

/**
 * Commands from the empty stream, by category, for states that generated commands do not find: each sequence has to be
 * accepted, and the walk goes on from wherever it leads. Empty, because they find them all.
 */
const byHand: Readonly<Record<string, readonly (readonly RawCommand[])[]>> = {};

/** What throws may be rare, so the walks go on for a while when they have seen everything. */
const minDecisions = 6_000;
/** Many times what any aggregate needs. */
const maxDecisions = 150_000;

const folder = new URL("../../actors/aggregates/", import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith(".ts"));
const aggregates = await Promise.all(
  files.map(async (file): Promise<[string, Aggregate]> => {
    const loaded = (await import(new URL(file, folder).href)) as { readonly default?: Aggregate };
    if (loaded.default?.kind !== "aggregate") throw new Error(`${file} does not export an aggregate`);
    return [file.replace(/\.ts$/, ""), loaded.default];
  }),
);

describe.each(aggregates)("the chart of %s", (_, { machine, parts, schemas }) => {
  const types = Object.keys(schemas.events);

  test("knows the events of the schemas and no others, and so do those of its parts", () => {
    expect([...machine.events].sort()).toEqual([...types].sort());
    for (const part of parts) expect(types, `part ${part.name}`).toEqual(expect.arrayContaining(part.machine.events));
  });

  test("leads to every state, and takes every event on the way", () => {
    const { leaves, events } = pathsThrough(machine);
    const unreached = [...leaves].filter(([, way]) => way === undefined).map(([leaf]) => leaf);
    expect(unreached, "states to which no arrow leads").toEqual([]);
    expect(
      types.filter((type) => !events.has(type)),
      "events that no state takes which an arrow leads to",
    ).toEqual([]);
  });
});

describe.each(aggregates)("%s under generated commands", (category, aggregate) => {
  let goals: Goals;
  let walk: Explored;

  beforeAll(() => {
    goals = goalsOf(aggregate);
    walk = explore(aggregate, {
      seed: 20_260_101,
      minDecisions,
      maxDecisions,
      byHand: byHand[category] ?? [],
      isEnough: (explored) => unseen(goals, explored).length === 0,
    });
  });

  test("is in every state, decides every event, and is asked every command in every state", () => {
    const advice = `not seen in ${walk.decisions} commands; if there is a way, name it in byHand of test/actors/paths.test.ts`;
    expect(unseen(goals, walk), advice).toEqual([]);
  });

  test("never throws, and decides only events that fit their schemas", () => {
    expect(walk.problems.slice(0, 5), `the first of ${walk.problems.length} problems`).toEqual([]);
  });

  test("comes to each state again by the commands that led there", () => {
    for (const [leaf, steps] of walk.states) expect(leavesIn(replay(aggregate, steps).value)).toContain(leaf);
  });
});

interface Goals {
  readonly charts: readonly {
    readonly part?: string;
    readonly leaves: ReadonlyMap<string, readonly string[] | undefined>;
  }[];
  readonly events: readonly string[];
  readonly commands: readonly string[];
}

function goalsOf({ machine, parts, schemas }: Aggregate): Goals {
  return {
    charts: [
      { leaves: pathsThrough(machine).leaves },
      ...parts.map((part) => ({ part: part.name, leaves: pathsThrough(part.machine).leaves })),
    ],
    events: Object.keys(schemas.events),
    commands: Object.keys(schemas.commands),
  };
}

/** What the walk has not seen yet, as sentences. A part may begin where no arrow leads, so only the walk tells about parts. */
function unseen({ charts, events, commands }: Goals, walk: Explored): string[] {
  const states = charts.flatMap(({ part, leaves }) => {
    const found = part === undefined ? walk.states : walk.parts.get(part);
    const whose = part === undefined ? "state" : `each ${part}: state`;
    return [...leaves]
      .filter(([leaf]) => found?.has(leaf) !== true)
      .map(([leaf, way]) => `${whose} ${leaf}; the arrows to it: ${way?.join(", ") ?? "none"}`);
  });
  const accepted = new Set(
    [...walk.outcomes.values()].flatMap((here) => commands.filter((type) => here.get(type)?.has("accepted"))),
  );
  return [
    ...states,
    ...events.filter((type) => !walk.events.has(type)).map((type) => `event ${type}`),
    ...commands.filter((type) => !accepted.has(type)).map((type) => `command ${type} accepted in any state`),
    ...[...walk.values].flatMap((value) =>
      commands
        .filter((type) => walk.outcomes.get(value)?.has(type) !== true)
        .map((type) => `command ${type} in state ${value}`),
    ),
  ];
}
