/** A hundred reviewers at one task, at once: as many votes as were asked for, and a reason for everybody else. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RetraceDomain } from "../../schemas/index.ts";
import { Fault } from "../../src/core/fault.ts";
import { type Client, connect } from "../../src/wire/client.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";

const reviewers = Array.from({ length: 100 }, (_, i) => `reviewer-${i}`);
const clients: Client<RetraceDomain>[] = [];

beforeAll(async () => {
  const { url } = await startRuntime({ dataDir: tempDir() });
  for (let i = 0; i < 10; i++) clients.push(await connect<RetraceDomain>({ servers: url }));
});

afterAll(() => Promise.all(clients.map((client) => client.close())));

const clientOf = (i: number): Client<RetraceDomain> => clients[i % clients.length] as Client<RetraceDomain>;

async function request(id: string): Promise<void> {
  const data = { options: ["yes", "no"], k: 3, excludedReviewers: ["reviewer-7"] };
  await clientOf(0).send("review", id, { type: "RequestReview", data });
}

/** `accepted`, or why not. */
async function outcomeOf(send: Promise<unknown>): Promise<string> {
  try {
    await send;
    return "accepted";
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return error.code === "REJECTED" ? String(error.details.reason) : error.code;
  }
}

function counted(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

test("exactly k of a hundred claims find a place, and exactly k votes are counted", async () => {
  await request("claims");
  const claims = await Promise.all(
    reviewers.map((reviewer, i) =>
      outcomeOf(clientOf(i).send("review", "claims", { type: "ClaimReview", data: { reviewer } })),
    ),
  );
  expect(counted(claims)).toEqual({ accepted: 3, PLACES_TAKEN: 96, NOT_ALLOWED_IN_STATE: 1 });
  expect(claims[7]).toBe("NOT_ALLOWED_IN_STATE");

  const votes = await Promise.all(
    reviewers.map((reviewer, i) =>
      outcomeOf(clientOf(i).send("review", "claims", { type: "SubmitLabel", data: { reviewer, label: "yes" } })),
    ),
  );
  expect(counted(votes)).toEqual({ accepted: 3, NOT_ALLOWED_IN_STATE: 97 });
  expect(votes.map((vote) => vote === "accepted")).toEqual(claims.map((claim) => claim === "accepted"));
});

test("the same when each claims and votes at once", async () => {
  await request("both");
  const outcomes = await Promise.all(
    reviewers.map(async (reviewer, i) => {
      const client = clientOf(i);
      const claim = outcomeOf(client.send("review", "both", { type: "ClaimReview", data: { reviewer } }));
      const vote = outcomeOf(client.send("review", "both", { type: "SubmitLabel", data: { reviewer, label: "no" } }));
      return [await claim, await vote] as const;
    }),
  );
  expect(outcomes.filter(([, vote]) => vote === "accepted")).toHaveLength(3);

  const { state } = await clientOf(0).state("review", "both");
  expect(state.value).toBe("voted");
  expect(state.context.votes).toHaveLength(3);
  const { events } = await clientOf(0).history("review", "both", { limit: 1_000 });
  expect(events.filter(({ type }) => type === "HumanLabelSubmitted")).toHaveLength(3);
});
