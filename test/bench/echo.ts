/** The bare request/reply echo that commands are compared with. */
import type { NatsConnection } from "@nats-io/nats-core";
import { progressBody } from "./training-runs.ts";

/** What the responder listens on. */
export const echoSubject = "retrace-bench.echo";

const timeoutMs = 30_000;

/** Makes the operation: one request with a body made like a command's, without headers. */
export function echo(nats: NatsConnection): () => Promise<unknown> {
  let step = 0;
  return () => {
    step += 1;
    return nats.request(echoSubject, progressBody(step), { timeout: timeoutMs });
  };
}
