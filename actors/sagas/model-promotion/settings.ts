/** What can be set about promotions: the policy `model-promotion`. */
import { z } from "zod";
import { identifier, key } from "../../../schemas/fields.ts";

/** One thing asked of a new version before people look at it. */
const requirement = z
  .strictObject({
    metric: z.string().min(1).max(256),
    atLeast: z.number().optional(),
    atMost: z.number().optional(),
    /** Than the version that this alias points to; where it points to none, this holds. */
    betterThanAlias: key.optional(),
    /** For `betterThanAlias`: a loss, a latency. */
    lowerIsBetter: z.boolean().optional(),
  })
  .refine(
    ({ atLeast, atMost, betterThanAlias }) => (atLeast ?? atMost ?? betterThanAlias) !== undefined,
    "a requirement has atLeast, atMost or betterThanAlias",
  );

const maxDueMs = 365 * 24 * 60 * 60 * 1000;
const defaultDueMs = 3 * 24 * 60 * 60 * 1000;

/** The settings, each with its default. */
export const settings = z
  .object({
    enabled: z.boolean().default(true).describe("whether completed runs become versions at all"),
    gate: z
      .array(requirement)
      .max(20)
      .default([])
      .describe("what a version's metrics must be before people are asked; all of it; empty: nothing"),
    k: z.int().min(1).max(100).default(1).describe("votes wanted for the approval"),
    maxK: z.int().min(1).max(100).default(3).describe("votes that may be asked for when the first ones disagree"),
    dueMs: z.int().min(1).max(maxDueMs).default(defaultDueMs).describe("how long people have, in milliseconds"),
    priority: z.number().default(0).describe("of the review; higher comes first"),
    requiredSkills: z.array(identifier).max(64).default([]).describe("what a reviewer must know"),
    secondLine: z
      .boolean()
      .default(false)
      .describe("whether the label counts only when somebody else has accepted or fixed it"),
    environment: key.default("production").describe("where an approved version is deployed"),
    trafficShare: z.number().min(0).max(1).default(1).describe("of the environment's traffic, from 0 to 1"),
    alias: key.default("champion").describe("the alias that is moved to a deployed version"),
  })
  .refine(({ k, maxK }) => maxK >= k, { path: ["maxK"], error: "maxK is at least k" });

/** As a step of the saga has them. */
export type Settings = z.output<typeof settings>;
/** One thing asked of a new version. */
export type Requirement = z.output<typeof requirement>;
