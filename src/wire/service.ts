/**
 * The NATS service convention: `nats micro ls`, `info` and `stats` find every runtime and the figures of its endpoints.
 * Written here because the client library's own service measures only how long a handler runs, not how long a request
 * waits for its commit.
 */
import type { Msg, NatsConnection, Subscription } from "@nats-io/nats-core";
import { type Endpoint, queueGroup } from "./serve.ts";

/** What a runtime tells about itself. */
export interface ServiceOptions {
  readonly nats: NatsConnection;
  /** Of this process. */
  readonly id: string;
  /** Semantic version of the package. */
  readonly version: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly endpoints: readonly Endpoint[];
}

const name = "retrace";
const description = "commands and queries of an event-sourced runtime for AI/ML systems";

/** Answers on `$SRV.PING`, `INFO` and `STATS`, for all services, for this name, and for this process alone. */
export function serveService(options: ServiceOptions): Subscription[] {
  const { nats, id, version, metadata, endpoints, startedAt } = options;
  const identity = { name, id, version, metadata };
  const describe = ({ name, subject }: Endpoint) => ({ name, subject, queue_group: queueGroup, metadata: {} });
  const answers: Readonly<Record<string, () => unknown>> = {
    PING: () => ({ type: "io.nats.micro.v1.ping_response", ...identity }),
    INFO: () => ({
      type: "io.nats.micro.v1.info_response",
      ...identity,
      description,
      endpoints: endpoints.map(describe),
    }),
    STATS: () => ({
      type: "io.nats.micro.v1.stats_response",
      ...identity,
      started: startedAt,
      endpoints: endpoints.map((endpoint) => ({
        name: endpoint.name,
        subject: endpoint.subject,
        queue_group: queueGroup,
        ...endpoint.stats.figures,
      })),
    }),
  };
  return Object.entries(answers).flatMap(([verb, answer]) =>
    [`$SRV.${verb}`, `$SRV.${verb}.${name}`, `$SRV.${verb}.${name}.${id}`].map((subject) =>
      nats.subscribe(subject, {
        callback: (error: Error | null, message: Msg) => {
          if (error === null) message.respond(JSON.stringify(answer()));
        },
      }),
    ),
  );
}
