/** Charts as pictures and as data: what they show, that Mermaid can draw it, and that nothing of the chart is lost. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { and, assign, cancel, createMachine, not, or, raise, setup, stateIn } from "xstate";
import { chartDefinition, guardName } from "../../src/core/chart-definition.ts";
import { chartPicture } from "../../src/core/chart-picture.ts";
import { ask, send } from "../../src/core/saga.ts";
import { readMermaid } from "./mermaid.ts";

type Config = Parameters<typeof createMachine>[0];

/** The lines of a picture, after its head. */
function picture(config: Config): string[] {
  const text = chartPicture(createMachine(config));
  readMermaid(text);
  return text.split("\n").slice(1);
}

describe("the picture", () => {
  test("shows states, events, guards, beginning and end", () => {
    const config = {
      id: "door",
      initial: "shut",
      states: {
        shut: { on: { Opened: { target: "open", guard: "isUnlocked" } } },
        open: { on: { Shut: "shut", Removed: "gone" } },
        gone: { type: "final" },
      },
    } as const;
    expect(chartPicture(createMachine(config), "a door: how it is used")).toBe(`---
title: "a door: how it is used"
---
stateDiagram-v2
  [*] --> shut
  shut --> open: Opened [isUnlocked]
  open --> shut: Shut
  open --> gone: Removed
  gone --> [*]`);
  });

  test("draws what stays in a state, and several events between the same states, as one arrow", () => {
    expect(
      picture({
        initial: "a",
        states: { a: { on: { Kept: { actions: assign({}) }, Again: "a", Left: "b", Gone: "b" } }, b: {} },
      }),
    ).toEqual(["  [*] --> a", "  a --> a: Kept<br/>Again", "  a --> b: Left<br/>Gone"]);
  });

  test("draws what holds in every state once", () => {
    expect(picture({ initial: "a", states: { a: {} }, on: { Kept: { actions: assign({}) }, Back: ".a" } })).toEqual([
      "  [*] --> a",
      "  any: any state",
      "  any --> any: Kept",
      "  any --> a: Back",
    ]);
  });

  test("leaves out what is forbidden, and shows a state without arrows", () => {
    expect(picture({ initial: "a", states: { a: { on: { No: undefined, Neither: {} } }, b: {} } })).toEqual([
      "  [*] --> a",
      "  b",
    ]);
  });

  test("nests states, and draws what crosses a border outside of it", () => {
    expect(
      picture({
        initial: "on",
        states: {
          off: { on: { Woken: "on.deep" } },
          on: {
            initial: "light",
            states: { light: { on: { Slept: "deep", Broken: "#m.off" } }, deep: { on: { Reset: "#m.on" } } },
            on: { Cut: "off", Restarted: "on", Kept: { actions: assign({}) } },
          },
        },
        id: "m",
      }),
    ).toEqual([
      "  [*] --> on",
      "  state on {",
      "    [*] --> on__light",
      "    on__light: light",
      "    on__deep: deep",
      "    on__any: any state",
      "    on__any --> on__light: Restarted",
      "    on__any --> on__any: Kept",
      "    on__light --> on__deep: Slept",
      "    on__deep --> on__light: Reset",
      "  }",
      "  on --> off: Cut",
      "  off --> on__deep: Woken",
      "  on__light --> off: Broken",
    ]);
  });

  test("draws regions, and arrows out of them from the border", () => {
    expect(
      picture({
        initial: "live",
        states: {
          live: {
            type: "parallel",
            states: {
              vote: {
                initial: "none",
                states: { none: { on: { Cast: "cast" } }, cast: { on: { Closed: "#m.done" } } },
              },
              clock: { on: { Ticked: { actions: assign({}) } } },
            },
            on: { Kept: { actions: assign({}) } },
          },
          done: { type: "final" },
        },
        id: "m",
      }),
    ).toEqual([
      "  [*] --> live",
      "  state live {",
      "    live__vote: vote",
      "    state live__vote {",
      "      [*] --> live__vote__none",
      "      live__vote__none: none",
      "      live__vote__cast: cast",
      "      live__vote__none --> live__vote__cast: Cast",
      "    }",
      "    --",
      "    live__clock: clock",
      "    live__clock --> live__clock: Ticked",
      "    --",
      "    live__any: any state",
      "    live__any --> live__any: Kept",
      "  }",
      "  live --> done: Closed from cast",
      "  done --> [*]",
    ]);
  });
});

describe("what a saga does", () => {
  const machine = setup({
    actions: {
      note: assign({}),
      order: send("order", () => ({ id: "o", type: "Place" })),
      look: ask("stock", () => ({ key: "s" })),
      remind: raise({ type: "Late" }, { id: "late", delay: 1000 }),
      forget: cancel("late"),
    },
    delays: { patience: () => 1000 },
  }).createMachine({
    id: "m",
    entry: ["note", "look"],
    initial: "begun",
    states: {
      begun: {
        on: { Started: { target: "busy", guard: () => true, actions: ["note", "order", { type: "look" }] } },
      },
      busy: {
        entry: ["remind", "note"],
        exit: "forget",
        initial: "one",
        states: {
          one: { after: { patience: { actions: "order" } }, always: { target: "two", actions: "look" } },
          two: {},
        },
        on: { Late: [{ target: "done", actions: send("order", () => undefined) }] },
      },
      done: { entry: "order", type: "final" },
    },
  });

  test("is behind a slash on its arrows, and at the states that it is done in", () => {
    expect(chartPicture(machine).split("\n").slice(1)).toEqual([
      "  [*] --> begun: / look",
      "  busy: busy (entry / remind) (exit / forget)",
      "  state busy {",
      "    [*] --> busy__one",
      "    busy__one: one",
      "    busy__two: two",
      "    busy__one --> busy__one: after patience / order",
      "    busy__one --> busy__two: always / look",
      "  }",
      "  done: done (entry / order)",
      "  begun --> busy: Started [guard] / order, look",
      "  busy --> done: Late / send",
      "  done --> [*]",
    ]);
    readMermaid(chartPicture(machine));
  });

  test("is nothing that changes its own state only", () => {
    const { arrows } = readMermaid(chartPicture(createMachine(chartDefinition(machine) as Config)));
    expect(arrows.flatMap(({ labels }) => labels).filter((label) => label.includes("/"))).toEqual([]);
  });
});

describe("names", () => {
  test("that Mermaid would read as something else are shown and not used", () => {
    const { states, labels, arrows } = readMermaid(
      chartPicture(
        createMachine({
          initial: "state",
          states: {
            state: { on: { "a:b;c": { target: "in review", guard: 'is "so" #1' } } },
            "in review": { on: { Back: "in-review" } },
            "in-review": {},
          },
        }),
      ),
    );
    expect([...states.keys()]).toEqual(["state_2", "in_review", "in_review_2"]);
    expect([...labels.values()]).toEqual(["state", "in review", "in-review"]);
    expect(arrows[1]?.labels).toEqual(['a:b;c [is "so" #1]']);
  });

  test("of guards say how they are combined", () => {
    expect(guardName("isOpen")).toBe("isOpen");
    expect(guardName({ type: "isOver", params: { limit: 3 } })).toBe("isOver");
    expect(guardName(and(["a", not("b"), or(["c", "d"])]))).toBe("a and not b and (c or d)");
    expect(guardName(not(and(["a", "b"])))).toBe("not (a and b)");
    expect(guardName(stateIn("open"))).toBe("in open");
    expect(guardName(function isEmpty() {})).toBe("isEmpty");
    expect(guardName(() => true)).toBe("guard");
  });

  test("of timers and of endings are said in words", () => {
    const lines = picture({
      initial: "a",
      states: {
        a: { initial: "x", states: { x: { type: "final" } }, onDone: "b", after: { 500: "b" } },
        b: { always: { target: "a", guard: "isNew" } },
      },
    });
    expect(lines).toContain("  a --> b: done<br/>after 500");
    expect(lines).toContain("  b --> a: always [isNew]");
  });
});

describe("the definition", () => {
  const machine = setup({
    guards: { isNew: () => true, isOver: (_, _limit: { limit: number }) => true },
    actions: { keep: assign({}) },
  }).createMachine({
    id: "m",
    context: () => ({ since: new Date(0) }),
    initial: "a",
    states: {
      a: {
        entry: assign({}),
        on: {
          Named: { target: "b", guard: "isNew", actions: ["keep", function note() {}] },
          With: { target: "b", guard: { type: "isOver", params: { limit: 3 } } },
          Either: [{ target: "b", guard: not("isNew"), description: "first" }, { target: "a" }],
          No: undefined,
        },
      },
      b: { type: "final", tags: ["done"] },
    },
  });

  test("names what is a function, and leaves out what JSON cannot hold", () => {
    const definition = chartDefinition(machine);
    expect(definition).toEqual({
      id: "m",
      initial: "a",
      states: {
        a: {
          entry: ["assign"],
          on: {
            Named: { target: "b", guard: "isNew", actions: ["keep", "note"] },
            With: { target: "b", guard: { type: "isOver", params: { limit: 3 } } },
            Either: [{ target: "b", guard: "not isNew", description: "first" }, { target: "a" }],
            No: {},
          },
        },
        b: { type: "final", tags: ["done"] },
      },
    });
    expect(JSON.parse(JSON.stringify(definition))).toEqual(definition);
  });

  test("makes a machine with the same picture", () => {
    const again = createMachine(chartDefinition(machine) as Config);
    expect(chartPicture(again)).toBe(chartPicture(machine));
  });
});

test("whatever the chart, Mermaid can draw the picture, all of it is there, and the definition says the same", () => {
  fc.assert(
    fc.property(arbitraryChart, (config) => {
      const machine = createMachine(config as Config);
      const text = chartPicture(machine, "any");
      const { states, arrows, labels } = readMermaid(text);
      const shown = [...states.keys()].filter((id) => labels.get(id) !== "any state");
      const isWholeShown = config.type === "parallel";
      assert.equal(shown.length, isWholeShown ? statesIn(config) : statesIn(config) - 1, text);
      const said = arrows.flatMap((arrow) => arrow.labels).join("\n");
      for (const event of machine.events) assert(said.includes(event), `${event} is not in the picture`);
      assert.equal(chartPicture(createMachine(chartDefinition(machine) as Config), "any"), text);
    }),
    { seed: 20_260_101, numRuns: 500 },
  );
});

interface StateConfig {
  readonly type?: "parallel" | "final";
  readonly initial?: string;
  readonly states?: Readonly<Record<string, StateConfig>>;
  readonly on?: Readonly<Record<string, unknown>>;
}

function statesIn({ states = {} }: StateConfig): number {
  return Object.values(states).reduce((sum, state) => sum + statesIn(state), 1);
}

/** Charts of up to three levels with awkward names, whose transitions lead anywhere. */
const arbitraryChart: fc.Arbitrary<StateConfig & { readonly id: string }> = fc
  .tuple(arbitraryState(3), fc.infiniteStream(fc.nat()))
  .map(([shape, numbers]) => {
    const ids: string[] = [];
    const identify = (state: StateConfig): StateConfig => {
      const id = `s${ids.length}`;
      ids.push(id);
      const states = Object.entries(state.states ?? {}).map(([key, child]) => [key, identify(child)]);
      return { ...state, id, ...(states.length > 0 && { states: Object.fromEntries(states) }) } as StateConfig;
    };
    const identified = identify(shape);
    const next = () => numbers.next().value as number;
    const connect = (state: StateConfig): StateConfig => {
      const states = Object.entries(state.states ?? {}).map(([key, child]) => [key, connect(child)]);
      const count = state.type === "final" ? 0 : next() % 4;
      const on = Array.from({ length: count }, (): [string, unknown] => {
        const number = next();
        const target = number % 5 === 0 ? {} : { target: `#${ids[1 + (next() % Math.max(1, ids.length - 1))]}` };
        const guard = number % 3 === 0 ? { guard: "is it: so?" } : {};
        return [`Event${number % 7}`, { ...target, ...guard, actions: "keep", reenter: number % 2 === 0 }];
      });
      return { ...state, ...(states.length > 0 && { states: Object.fromEntries(states) }), on: Object.fromEntries(on) };
    };
    return connect(identified) as StateConfig & { readonly id: string };
  });

function arbitraryState(depth: number): fc.Arbitrary<StateConfig> {
  const name = fc.constantFrom("a", "b", "any", "state", "in review", "in-review", "a__b", "end", "é", "1", "x:y");
  const children = fc.dictionary(name, depth > 1 ? arbitraryState(depth - 1) : fc.constant({}), {
    minKeys: 1,
    maxKeys: 4,
    noNullPrototype: true,
  });
  const compound = children.map((states) => ({ initial: Object.keys(states)[0] as string, states }));
  const parallel = children.map((states) => ({ type: "parallel" as const, states }));
  if (depth === 3) return fc.oneof({ weight: 4, arbitrary: compound }, parallel);
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    fc.constant({ type: "final" as const }),
    compound,
    parallel,
  );
}
