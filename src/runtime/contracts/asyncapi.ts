/**
 * The AsyncAPI 3 document: what can be sent to this runtime and what it sends, on which subjects. It stands alone: AsyncAPI
 * reads JSON Schema draft 7, so the schemas are written into it in that draft.
 */
import { sagaCategory } from "../../core/saga-events.ts";
import { commandSubject, eventStreamName, eventSubject } from "../../wire/subjects.ts";
import { addRequest, correlationId, messageOf, noParts, type Parts, to } from "./asyncapi-parts.ts";
import { addBulk, addRequests } from "./asyncapi-requests.ts";
import type { Contracts } from "./compatibility.ts";
import { draft7 } from "./draft7.ts";
import type { JsonSchema } from "./json-schema.ts";
import { commandHeaders, commandReply, errorBody, errorHeaders, eventHeaders } from "./wire-schemas.ts";

/** What the document is made from. */
export interface AsyncApiSource {
  readonly contracts: Contracts;
  /** Every version of an event's schema that is known, the one that is written among them. */
  readonly versionsOf: (category: string, type: string) => ReadonlyMap<number, JsonSchema>;
  /** First token of all subjects. */
  readonly prefix: string;
}

/** Writes the document, a value for JSON. The runtime is the application: it receives commands and sends events. */
export function asyncApi(source: AsyncApiSource): JsonSchema {
  const parts = noParts();
  addReplies(parts);
  for (const [category, { commands, events }] of Object.entries(source.contracts)) {
    for (const [type, schema] of Object.entries(commands)) addCommand(parts, { category, type, schema }, source);
    for (const type of Object.keys(events)) addEvent(parts, { category, type }, source);
  }
  addBulk(parts, source.prefix);
  addRequests(parts, source.prefix);
  const { channels, operations, messages, schemas } = parts;
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Retrace",
      version: "1",
      description:
        "Commands, queries and events of an event-sourced runtime for AI/ML systems, over NATS. The version is that of its wire protocol.",
    },
    defaultContentType: "application/json",
    servers: { nats },
    channels,
    operations,
    components: { messages, schemas },
  };
}

const nats = {
  host: "{host}:{port}",
  protocol: "nats",
  description: "A broker with JetStream; by default the one that the runtime brings.",
  variables: { host: { default: "127.0.0.1" }, port: { default: "4222" } },
};

function addReplies({ channels, messages, schemas }: Parts): void {
  Object.assign(schemas, { commandHeaders, commandReply: draft7(commandReply, "commandReply") });
  Object.assign(schemas, { errorBody, errorHeaders, eventHeaders });
  messages.reply = { name: "reply", summary: "The command was accepted.", payload: to("schemas", "commandReply") };
  messages.error = {
    name: "error",
    summary: "The request was refused, or failed.",
    headers: to("schemas", "errorHeaders"),
    payload: to("schemas", "errorBody"),
  };
  channels.replies = {
    address: null,
    description: "The inbox that the request names as its reply subject.",
    messages: { reply: to("messages", "reply"), error: to("messages", "error") },
  };
}

interface Named {
  readonly category: string;
  readonly type: string;
}

function addCommand(
  parts: Parts,
  { category, type, schema }: Named & { readonly schema: JsonSchema },
  { prefix }: AsyncApiSource,
): void {
  const name = `command.${category}.${type}`;
  parts.schemas[name] = draft7(schema, name);
  addRequest(parts, {
    name,
    address: commandSubject(prefix, { category, id: "{id}", type }),
    title: type,
    message: {
      summary: schema.description,
      headers: to("schemas", "commandHeaders"),
      correlationId,
      payload: to("schemas", name),
    },
    parameters: { id },
    reply: "reply",
    tag: category,
  });
}

function addEvent(
  { channels, operations, messages, schemas }: Parts,
  { category, type }: Named,
  source: AsyncApiSource,
): void {
  const { prefix } = source;
  const name = `event.${category}.${type}`;
  const versions = [...source.versionsOf(category, type)].sort(([one], [other]) => one - other);
  for (const [version, schema] of versions) {
    const versioned = `${name}.v${version}`;
    schemas[versioned] = draft7(schema, versioned);
    messages[versioned] = {
      name: type,
      title: `${type} v${version}`,
      summary: schema.description,
      headers: { allOf: [to("schemas", "eventHeaders"), headersOf(type, version)] },
      correlationId,
      payload: to("schemas", versioned),
    };
  }
  const own = versions.map(([version]) => `${type}.v${version}`);
  channels[name] = {
    address: eventSubject(prefix, category, "{id}", type),
    parameters: { id: category === sagaCategory ? idOfSaga : id },
    messages: Object.fromEntries(own.map((key) => [key, to("messages", `event.${category}.${key}`)])),
  };
  operations[name] = {
    action: "send",
    channel: { $ref: `#/channels/${name}` },
    messages: own.map((key) => messageOf(name, key)),
    description: `On the JetStream stream ${eventStreamName(prefix)}, in the order of the log.`,
    tags: [{ name: category }],
  };
}

function headersOf(type: string, version: number): JsonSchema {
  const properties = { "ce-type": { const: type }, "Retrace-Schema-Version": { const: String(version) } };
  return { type: "object", properties };
}

const id = { description: "Of the aggregate: 1 to 128 of A-Z a-z 0-9 _ - ~." };
const idOfSaga = { description: "The name of the saga, a hyphen, and the id of the instance." };
