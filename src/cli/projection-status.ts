/** How projections are, as a client sees it, and waiting for one that is being built. */
import { setTimeout as delay } from "node:timers/promises";
import { Fault } from "../core/fault.ts";
import type { Client } from "../wire/client.ts";
import { verbTools } from "./tools.ts";

/** One of health's projections. */
export interface ProjectionLine {
  readonly name: string;
  readonly version: number;
  readonly mode: string;
  readonly status: string;
  readonly generation: number;
  readonly position: number;
  readonly lagEvents: number;
  readonly parked: number;
  readonly progress?: {
    readonly version: number;
    readonly generation: number;
    readonly position: number;
    readonly of: number;
  };
  readonly standby?: { readonly version: number; readonly generation: number };
  readonly reason?: string;
}

/** All of them. */
export async function listed(client: Client): Promise<readonly ProjectionLine[]> {
  return (await client.query<{ readonly projections: readonly ProjectionLine[] }>("health")).projections;
}

/** The one of that name. @throws Fault NOT_FOUND */
export async function statusOf(client: Client, name: string): Promise<ProjectionLine> {
  const found = (await listed(client)).find((projection) => projection.name === name);
  if (found === undefined) throw new Fault("NOT_FOUND", `there is no projection ${name}`, { name });
  return found;
}

const pollMs = 100;

/** Shows how far a build is until it is over, and says what became of it. */
export async function buildFollowed(
  client: Client,
  name: string,
  { generation, of }: { readonly generation: number; readonly of: number },
): Promise<"live" | "standby" | "lost"> {
  const bar = verbTools.progress(name, of);
  let shown = 0;
  try {
    while (true) {
      const status = await statusOf(client, name);
      if (status.generation === generation) return "live";
      if (status.standby?.generation === generation) return "standby";
      if (status.progress?.generation !== generation) return "lost";
      bar.advance(status.progress.position - shown);
      shown = status.progress.position;
      await delay(pollMs);
    }
  } finally {
    bar.stop();
  }
}
