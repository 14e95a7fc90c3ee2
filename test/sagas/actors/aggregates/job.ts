/**
 * A job for the tests of sagas in real processes: begun by a client, taken step by step by its saga, and finished when it
 * is due. A fragile one cannot be finished until somebody repairs it: a bug, as it were.
 */
import { type ChartEventOf, defineAggregate, type Schemas } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { z } from "zod";

const begun = {
  /** To be taken by the saga, one after the other. */
  steps: z.int().min(0),
  /** When to finish, at the earliest; ISO 8601. */
  dueAt: z.string(),
  isFragile: z.boolean().default(false),
};
const numbered = { number: z.int() };

export const jobSchemas = {
  commands: {
    Begin: z.strictObject(begun),
    Step: z.strictObject(numbered),
    Repair: z.strictObject({}),
    Finish: z.strictObject({}),
  },
  events: {
    JobBegun: z.looseObject(begun),
    JobStepped: z.looseObject(numbered),
    JobRepaired: z.looseObject({}),
    JobFinished: z.looseObject({}),
  },
} satisfies Schemas;

interface Job {
  readonly step: number;
  readonly isFragile: boolean;
}

const machine = setup({
  types: { context: {} as Job, events: {} as ChartEventOf<typeof jobSchemas> },
  guards: {
    isNext: ({ context, event }) => event.type === "JobStepped" && event.data.number === context.step + 1,
  },
  actions: {
    begin: assign(({ event }) => {
      assertEvent(event, "JobBegun");
      return { isFragile: event.data.isFragile };
    }),
    step: assign(({ context }) => ({ step: context.step + 1 })),
    repair: assign({ isFragile: false }),
  },
}).createMachine({
  id: "job",
  context: { step: 0, isFragile: false },
  initial: "empty",
  states: {
    empty: { on: { JobBegun: { target: "open", actions: "begin" } } },
    open: {
      on: {
        JobStepped: { guard: "isNext", actions: "step" },
        JobRepaired: { actions: "repair" },
        JobFinished: "finished",
      },
    },
    finished: {},
  },
});

export default defineAggregate({
  category: "job",
  schemas: jobSchemas,
  machine,
  decide: {
    Begin: (_state, { data }) => ({ type: "JobBegun", data }),
    Step: (_state, { data }) => ({ type: "JobStepped", data }),
    Repair: () => ({ type: "JobRepaired", data: {} }),
    Finish: ({ context }) => {
      if (context.isFragile) throw new Error("it falls apart");
      return { type: "JobFinished", data: {} };
    },
  },
});
