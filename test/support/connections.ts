/** Connections of a test file to its brokers, closed when the file is done. */
import type { NatsConnection } from "@nats-io/nats-core";
import { afterAll } from "vitest";
import { connectRaw } from "./raw-client.ts";

const connections: NatsConnection[] = [];

/** Connects on the bare NATS library. */
export async function connect(url: string): Promise<NatsConnection> {
  const nats = await connectRaw(url);
  connections.push(nats);
  return nats;
}

/** Closes them all now, for a test that wants to see a broker end. */
export async function closeConnections(): Promise<void> {
  await Promise.all(connections.splice(0).map((nats) => nats.close()));
}

afterAll(closeConnections);
