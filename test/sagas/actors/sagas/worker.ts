/** Takes the steps of a job, waits until it is due, and finishes it. */
import { defineSaga, type SagaEventOf, send } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { z } from "zod";
import type { jobSchemas } from "../aggregates/job.ts";

interface Work {
  readonly job: string;
  readonly step: number;
  readonly steps: number;
  readonly dueAt: string;
}

const machine = setup({
  types: {
    context: {} as Work,
    input: {} as { id: string },
    events: {} as SagaEventOf<typeof jobSchemas, "JobBegun" | "JobStepped" | "JobFinished">,
  },
  delays: {
    untilDue: ({ context, event }) => Math.max(0, Date.parse(context.dueAt) - Date.parse(event.now)),
  },
  guards: { isThrough: ({ context }) => context.step === context.steps },
  actions: {
    remember: assign(({ event }) => {
      assertEvent(event, "JobBegun");
      const { steps, dueAt } = event.data;
      return { steps, dueAt };
    }),
    count: assign(({ context }) => ({ step: context.step + 1 })),
    step: send("job", ({ context }) => ({ id: context.job, type: "Step", data: { number: context.step + 1 } })),
    finish: send("job", ({ context }) => ({ id: context.job, type: "Finish" })),
  },
}).createMachine({
  id: "worker",
  context: ({ input }) => ({ job: input.id, step: 0, steps: 0, dueAt: "" }),
  initial: "begun",
  states: {
    begun: { on: { JobBegun: { target: "deciding", actions: "remember" } } },
    deciding: {
      always: [
        { guard: "isThrough", target: "waiting" },
        { target: "stepping", actions: "step" },
      ],
    },
    stepping: { on: { JobStepped: { target: "deciding", actions: "count" } } },
    waiting: { after: { untilDue: { target: "finishing", actions: "finish" } } },
    finishing: { on: { JobFinished: "finished" } },
    finished: { type: "final" },
  },
});

const job = ({ stream }: { readonly stream: string }): string => stream.slice("job-".length);

export default defineSaga({
  name: "worker",
  settings: z.object({}),
  startedBy: ["JobBegun"],
  correlate: { JobBegun: job, JobStepped: job, JobFinished: job },
  machine,
});
