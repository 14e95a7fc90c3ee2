/** What surrounds the bodies on the wire, as JSON Schema: headers, the reply, the error. PROTOCOL.md is their source. */
import { z } from "zod";
import { maxBulkCommands } from "../../wire/bulk-request.ts";
import type { CommandReply } from "../../wire/replies.ts";
import type { JsonSchema } from "./json-schema.ts";

const text = { type: "string", minLength: 1, maxLength: 256 };
const time = { type: "string", format: "date-time" };
const counted = { type: "string", pattern: "^[1-9][0-9]*$" };
const traceparent = { type: "string", description: "W3C Trace Context." };

const contentType = {
  type: "string",
  enum: ["application/json", "application/msgpack"],
  default: "application/json",
  description: "Of the body, and of the reply.",
};

/** The headers of a request that is no command. */
export const requestHeaders: JsonSchema = { type: "object", properties: { "Content-Type": contentType } };

/** The headers of a command; all of them may be left out. */
export const commandHeaders: JsonSchema = {
  type: "object",
  properties: {
    "Content-Type": contentType,
    "Nats-Msg-Id": {
      ...text,
      description: "The command id: repeated, it returns the first reply and appends nothing.",
    },
    "Retrace-Expected-Version": {
      type: "string",
      pattern: "^([0-9]{1,15}|no-stream|any)$",
      default: "any",
      description: "The version the stream must be at.",
    },
    "Retrace-Correlation-Id": { ...text, description: "The conversation; by default the command id." },
    "Retrace-Causation-Id": { ...text, description: "What caused the command; by default the command id." },
    "Retrace-Occurred-At": { ...time, description: "When it happened in the world, with a zone; by default now." },
    "Retrace-Actor": { ...text, description: "Who, as claimed." },
    traceparent,
  },
};

/** The headers of an event: CloudEvents 1.0 in binary mode, and Retrace's own. */
export const eventHeaders: JsonSchema = {
  type: "object",
  properties: {
    "ce-specversion": { const: "1.0" },
    "ce-id": { type: "string" },
    "ce-source": { type: "string", description: "Which log: urn:retrace:<store id>." },
    "ce-type": { type: "string" },
    "ce-subject": { type: "string", description: "The stream: <category>-<id>." },
    "ce-time": { ...time, description: "When it occurred." },
    "ce-datacontenttype": { const: "application/json" },
    "Retrace-Position": { ...counted, description: "In the log; the sequence in the JetStream stream." },
    "Retrace-Version": { ...counted, description: "Of the stream after the event." },
    "Retrace-Schema-Version": counted,
    "Retrace-Recorded-At": { ...time, description: "Never decreases along the log." },
    "Retrace-Correlation-Id": text,
    "Retrace-Causation-Id": text,
    "Retrace-Command-Id": text,
    "Retrace-Actor": { ...text, description: "Who, as claimed; where given." },
    traceparent,
  },
  required: [
    ...["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-subject", "ce-time", "ce-datacontenttype"],
    ...["Retrace-Position", "Retrace-Version", "Retrace-Schema-Version", "Retrace-Recorded-At"],
    ...["Retrace-Correlation-Id", "Retrace-Causation-Id", "Retrace-Command-Id"],
  ],
};

/** The headers of an error, as NATS services have them. */
export const errorHeaders: JsonSchema = {
  type: "object",
  properties: {
    "Nats-Service-Error-Code": { type: "string", pattern: "^[45][0-9]{2}$" },
    "Nats-Service-Error": { type: "string", description: "For people." },
  },
  required: ["Nats-Service-Error-Code", "Nats-Service-Error"],
};

const index = z.int().min(0);

const reply: z.ZodType<CommandReply> = z.looseObject({
  stream: z.string(),
  version: index,
  position: index,
  durability: z.literal("flushed"),
  events: z.array(z.looseObject({ id: z.string(), type: z.string(), version: index, position: index })),
  state: z.looseObject({ value: z.unknown(), status: z.string() }),
  duplicate: z.literal(true).exactOptional(),
});

/** The body of the reply to a command that was accepted. */
export const commandReply: JsonSchema = z.toJSONSchema(reply, { io: "input" }) as JsonSchema;

/** The body of every error. */
export const errorBody: JsonSchema = {
  type: "object",
  properties: {
    error: {
      type: "object",
      properties: {
        code: { type: "string", pattern: "^[A-Z_]+$", description: "Stable, for programs: see PROTOCOL.md, Errors." },
        message: { type: "string", description: "For people; may change." },
        retryable: { type: "boolean", description: "Whether the same request may succeed later without a change." },
        details: { type: "object", description: "By code. Of REJECTED: reason, the aggregate's own stable code." },
      },
      required: ["code", "message", "retryable", "details"],
    },
  },
  required: ["error"],
};

/** The body of a request with many commands. `headers` are those of each of them. */
export function bulkBody(headers: JsonSchema): JsonSchema {
  const command = {
    type: "object",
    properties: {
      category: { type: "string" },
      id: { type: "string", pattern: "^[A-Za-z0-9_~-]{1,128}$", description: "Of the aggregate." },
      type: { type: "string", description: "Of the command." },
      data: { type: "object", default: {}, description: "What the command carries." },
      headers,
    },
    required: ["category", "id", "type"],
    additionalProperties: false,
  };
  return {
    type: "object",
    properties: { commands: { type: "array", items: command, minItems: 1, maxItems: maxBulkCommands } },
    required: ["commands"],
    additionalProperties: false,
  };
}

/** The body of its reply: for each command a reply, or an error. */
export function bulkReply(accepted: JsonSchema, error: JsonSchema): JsonSchema {
  return {
    type: "object",
    properties: { replies: { type: "array", items: { anyOf: [accepted, error] } } },
    required: ["replies"],
  };
}
