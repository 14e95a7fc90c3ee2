/**
 * Part (j), too: from the acknowledged signal that crosses a threshold to the rollback by the saga `drift-guard` as a
 * subscriber has it, while other commands keep the runtime busy.
 */
import type { NatsConnection } from "@nats-io/nats-core";
import { type Figure, percentile } from "./figures.ts";
import { load } from "./load.ts";

const timeoutMs = 30_000;
const part = "j";
/** Versions whose ratings turn bad, one after the other. */
const crossings = 40;
const busy = 64;
const minCount = 4;

/** Measures it; `other` is the command that keeps the runtime busy. */
export async function driftFigures(nats: NatsConnection, other: () => Promise<void>): Promise<Figure[]> {
  const send = async (category: string, id: string, type: string, data: object): Promise<void> => {
    const subject = `retrace.cmd.${category}.${id}.${type}`;
    const reply = await nats.request(subject, JSON.stringify(data), { timeout: timeoutMs });
    if (reply.headers !== undefined) throw new Error(`${type} was refused: ${reply.string()}`);
  };
  const settings = { negativeRate: { minCount, windows: ["5m"] } };
  await send("policy", "drift-guard", "SetPolicy", { settings });
  const durations: number[] = [];
  let isOver = false;
  const cross = async (): Promise<void> => {
    for (let i = 0; i < crossings; i++) durations.push(await crossing(nats, send, `drifting${i}`));
    isOver = true;
  };
  const keepBusy = async (): Promise<void> => {
    while (!isOver) await load(other, { concurrency: busy, forMs: 100 });
  };
  await Promise.all([cross(), keepBusy()]);
  const text = "from a crossing to the rollback, beside 64 commands in flight";
  return [
    { id: "drift.p50", part, text: `${text}, p50`, unit: "ms", value: percentile(durations, 0.5) },
    { id: "drift.max", part, text: `${text}, largest of ${crossings}`, unit: "ms", value: Math.max(...durations) },
  ];
}

type Send = (category: string, id: string, type: string, data: object) => Promise<void>;

async function crossing(nats: NatsConnection, send: Send, modelId: string): Promise<number> {
  await send("model", modelId, "CreateModel", {});
  for (const version of ["v1", "v2"]) {
    await send("model", modelId, "VersionModel", { version });
    await send("model", modelId, "ApproveVersion", { version });
    await send("model", modelId, "DeployModel", { version, environment: "production" });
  }
  const rolledBack = nats.subscribe(`retrace.evt.model.${modelId}.DeploymentRolledBack`, { max: 1 });
  const rate = (rating: number): Promise<void> =>
    send("feedback", modelId, "RateOutput", { rating, context: { modelId, modelVersion: "v2" } });
  for (let count = 1; count < minCount; count++) await rate(1);
  const from = performance.now();
  await rate(1);
  for await (const _ of rolledBack) break;
  return performance.now() - from;
}
