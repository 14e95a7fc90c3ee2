/** How often people approved and rejected the outputs of each producer: a person, a team, an agent, a tool. */
import { defineProjection, type RecordedEvent, type RowHandler } from "retrace";
import type { feedback } from "../../schemas/feedback.ts";

interface Approvals {
  readonly approvals: number;
  readonly rejections: number;
  /** When the newest of them was given. */
  readonly lastAt: string;
}

/** Whose outputs they are, when the signal does not say. */
const unnamed = "(unnamed)";

export default defineProjection<Approvals, typeof feedback>({
  name: "approvals-by-producer",
  version: 1,
  mode: "async",
  description: "Approvals and rejections by producer; what was retracted does not count",
  indexes: ["approvals", "rejections"],
  on: {
    OutputApproved: count("approvals"),
    OutputRejected: count("rejections"),
    FeedbackRetracted: {
      key: ({ data: { signal } }) => {
        return fieldOf(signal.type) === undefined ? undefined : producerIn(signal.data);
      },
      apply: (row, { data: { signal } }) => {
        const field = fieldOf(signal.type) as keyof Counts;
        // What is retracted was counted here before: rows and retractions are of the same log.
        if (row === undefined) throw new Error(`no signal of ${producerIn(signal.data)} was counted`);
        return { ...row, [field]: row[field] - 1 };
      },
    },
  },
});

type Counts = Pick<Approvals, "approvals" | "rejections">;

interface Signal {
  readonly producer?: string;
}

function count(field: keyof Counts): RowHandler<Approvals, RecordedEvent<string, Signal>> {
  return {
    key: ({ data }) => producerIn(data),
    apply: (row = { approvals: 0, rejections: 0, lastAt: "" }, { occurredAt }) => {
      return { ...row, [field]: row[field] + 1, lastAt: occurredAt > row.lastAt ? occurredAt : row.lastAt };
    },
  };
}

function producerIn(data: object): string {
  return (data as Signal).producer ?? unnamed;
}

function fieldOf(type: string): keyof Counts | undefined {
  if (type === "OutputApproved") return "approvals";
  return type === "OutputRejected" ? "rejections" : undefined;
}
