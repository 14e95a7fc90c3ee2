/** What can be set about roll-backs: the policy `agent-rollback`. */
import { z } from "zod";
import { key } from "../../../schemas/fields.ts";

const maxMs = 30 * 24 * 60 * 60 * 1000;
const minute = 60 * 1000;

/** The settings, each with its default. */
export const settings = z.object({
  onToolFailure: z.boolean().default(true).describe("whether a tool that returns an error sends the agent back"),
  ignoredTools: z.array(key).max(256).default([]).describe("tools whose errors the agent deals with by itself"),
  onRejection: z.boolean().default(true).describe("whether a rejected decision sends the agent back"),
  patienceMs: z
    .int()
    .min(1)
    .max(maxMs)
    .default(5 * minute)
    .describe("how long a compensation may take before it counts as failed, in milliseconds"),
  retries: z.int().min(0).max(20).default(2).describe("how often a failed compensation is asked for again"),
  pauseMs: z
    .int()
    .min(1)
    .max(maxMs)
    .default(minute)
    .describe("between a failure and the next attempt, in milliseconds"),
});

/** As a step of the saga has them. */
export type Settings = z.output<typeof settings>;
