/** The parts of an AsyncAPI document that everything on the wire adds to, and how they point to one another. */
import { queueGroup } from "../../wire/serve.ts";
import type { JsonSchema } from "./json-schema.ts";

type Members = Record<string, unknown>;

/** By name. A message of a channel has a name of its own there. */
export interface Parts {
  readonly channels: Members;
  readonly operations: Members;
  readonly messages: Members;
  readonly schemas: Members;
}

/** No parts yet. */
export function noParts(): Parts {
  return { channels: {}, operations: {}, messages: {}, schemas: {} };
}

/** A reference to a component. */
export function to(kind: "messages" | "schemas", name: string): JsonSchema {
  return { $ref: `#/components/${kind}/${name}` };
}

/** A reference to a message of a channel, which is what an operation names. */
export function messageOf(channel: string, message: string): JsonSchema {
  return { $ref: `#/channels/${channel}/messages/${message}` };
}

/** Where a correlation id is found. */
export const correlationId = { location: "$message.header#/Retrace-Correlation-Id" };

/** A request that the runtime answers. */
export interface RequestParts {
  /** Of the channel, the operation, the message and its schema. */
  readonly name: string;
  readonly address: string;
  /** Of the message in its channel. */
  readonly title: string;
  readonly message: JsonSchema;
  readonly parameters?: JsonSchema;
  /** The message of the channel `replies` that it is answered with, unless that is an error. */
  readonly reply: string;
  readonly tag: string;
}

/** Adds the channel of a request, and the operation of receiving and answering it. */
export function addRequest(
  parts: Parts,
  { name, address, title, message, parameters, reply, tag }: RequestParts,
): void {
  parts.messages[name] = { name: title, title, ...message };
  const messages = { [title]: to("messages", name) };
  parts.channels[name] = { address, ...(parameters && { parameters }), messages };
  parts.operations[name] = {
    action: "receive",
    channel: { $ref: `#/channels/${name}` },
    messages: [messageOf(name, title)],
    tags: [{ name: tag }],
    bindings: { nats: { queue: queueGroup } },
    reply: {
      channel: { $ref: "#/channels/replies" },
      messages: [messageOf("replies", reply), messageOf("replies", "error")],
    },
  };
}
