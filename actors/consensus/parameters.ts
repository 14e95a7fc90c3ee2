/**
 * What a method has to know of voters and labels before it can say what is true of one item. Plain JSON: it is recorded
 * in the event that closes a review, so that anybody can find the result again.
 */
import { z } from "zod";

const probability = z.number().min(0).max(1);

const byLabel = z.record(z.string(), probability);

/** What both methods know besides. */
const ofVoters = {
  /** By label; those it leaves out are all but impossible. Absent: all are equally likely. */
  prior: byLabel.optional(),
  /** Of voters about whom nothing is known. */
  defaultAccuracy: probability.optional(),
};

const majority = z.object({ method: z.literal("majority") });

const oneCoin = z.object({
  method: z.literal("one-coin"),
  ...ofVoters,
  /** By voter: how often they are right; if wrong, then in all ways alike. */
  accuracies: z.record(z.string(), probability),
});

const dawidSkene = z.object({
  method: z.literal("dawid-skene"),
  ...ofVoters,
  /** By voter, true label and said label. */
  confusion: z.record(z.string(), z.record(z.string(), byLabel)),
});

/** Checks parameters that came from elsewhere, and leaves out what is none. */
export const parametersSchema = z.discriminatedUnion("method", [majority, oneCoin, dawidSkene]);

/** Of one method. */
export type Parameters = z.infer<typeof parametersSchema>;
