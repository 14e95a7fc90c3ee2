/** How consensus is found and when it is enough: what a policy may set, and what holds where it sets nothing. */
import { z } from "zod";

/**
 * One policy for all crowds. Vote by vote, the defaults accept 94 in 100 items of a crowd that can do its task (RTE), 95 in
 * 100 of them rightly, and nothing of a crowd that votes by chance.
 */
export const consensusSettings = z.object({
  /** How votes are weighed. Where the labels are free or too many, `dawid-skene` does as `one-coin`. */
  method: z.enum(["majority", "one-coin", "dawid-skene"]).default("dawid-skene"),
  /** Votes to begin with. Fewer make agreement look better than it is where the order of the votes is not random. */
  k: z.int().min(1).default(5),
  /** Votes at most. */
  maxK: z.int().min(1).default(10),
  /** The least probability of a label that is accepted. */
  acceptAt: z.number().min(0).max(1).default(0.95),
  /** From this closed review of a kind of task on, nothing is accepted while its alpha is less than `minAlpha`. */
  minClosed: z.int().min(1).default(50),
  minAlpha: z.number().max(1).default(0.1),
  /** How often voters are right of whom nothing is known. */
  defaultAccuracy: z.number().min(0).max(1).default(0.8),
  /** For how many votes of each voter, of each true label, the default counts. */
  defaultVotes: z.number().positive().default(4),
});

/** All of them. */
export type ConsensusSettings = z.infer<typeof consensusSettings>;

/** What holds where nothing is set. */
export const defaultSettings: ConsensusSettings = consensusSettings.parse({});
