/**
 * The AsyncAPI 3 document: what can be sent to this runtime and what it sends, on which subjects. It stands alone: AsyncAPI
 * reads JSON Schema draft 7, so the schemas are written into it in that draft.
 */
import { queueGroup } from "../../wire/serve.ts";
import { commandSubject, eventStreamName, eventSubject } from "../../wire/subjects.ts";
import type { Contracts } from "./compatibility.ts";
import { asSchema, isObject, type JsonSchema } from "./json-schema.ts";
import { commandHeaders, commandReply, errorBody, errorHeaders, eventHeaders } from "./wire-schemas.ts";

/** What the document is made from. */
export interface AsyncApiSource {
  readonly contracts: Contracts;
  /** Every version of an event's schema that is known, the one that is written among them. */
  readonly versionsOf: (category: string, type: string) => ReadonlyMap<number, JsonSchema>;
  /** First token of all subjects. */
  readonly prefix: string;
}

type Members = Record<string, unknown>;

/** The parts of the document that commands and events add to. */
interface Parts {
  readonly channels: Members;
  readonly operations: Members;
  readonly messages: Members;
  readonly schemas: Members;
}

/** Writes the document, a value for JSON. The runtime is the application: it receives commands and sends events. */
export function asyncApi(source: AsyncApiSource): JsonSchema {
  const parts: Parts = { channels: {}, operations: {}, messages: {}, schemas: {} };
  addReplies(parts);
  for (const [category, { commands, events }] of Object.entries(source.contracts)) {
    for (const [type, schema] of Object.entries(commands)) addCommand(parts, { category, type, schema }, source);
    for (const type of Object.keys(events)) addEvent(parts, { category, type }, source);
  }
  const { channels, operations, messages, schemas } = parts;
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Retrace",
      version: "1",
      description:
        "Commands and events of an event-sourced runtime for AI/ML systems, over NATS. The version is that of its wire protocol.",
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

const correlationId = { location: "$message.header#/Retrace-Correlation-Id" };

function addReplies({ channels, messages, schemas }: Parts): void {
  Object.assign(schemas, { commandHeaders, commandReply: draft7(commandReply, "commandReply") });
  Object.assign(schemas, { errorBody, errorHeaders, eventHeaders });
  messages.reply = { name: "reply", summary: "The command was accepted.", payload: to("schemas", "commandReply") };
  messages.error = {
    name: "error",
    summary: "The command was refused, or failed.",
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
  { channels, operations, messages, schemas }: Parts,
  { category, type, schema }: Named & { readonly schema: JsonSchema },
  { prefix }: AsyncApiSource,
): void {
  const name = `command.${category}.${type}`;
  schemas[name] = draft7(schema, name);
  messages[name] = {
    name: type,
    title: type,
    summary: schema.description,
    headers: to("schemas", "commandHeaders"),
    correlationId,
    payload: to("schemas", name),
  };
  channels[name] = channel(commandSubject(prefix, { category, id: "{id}", type }), { [type]: to("messages", name) });
  operations[name] = {
    action: "receive",
    channel: { $ref: `#/channels/${name}` },
    messages: [{ $ref: `#/channels/${name}/messages/${type}` }],
    tags: [{ name: category }],
    bindings: { nats: { queue: queueGroup } },
    reply: {
      channel: { $ref: "#/channels/replies" },
      messages: [{ $ref: "#/channels/replies/messages/reply" }, { $ref: "#/channels/replies/messages/error" }],
    },
  };
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
  channels[name] = channel(
    eventSubject(prefix, category, "{id}", type),
    Object.fromEntries(own.map((key) => [key, to("messages", `event.${category}.${key}`)])),
  );
  operations[name] = {
    action: "send",
    channel: { $ref: `#/channels/${name}` },
    messages: own.map((key) => ({ $ref: `#/channels/${name}/messages/${key}` })),
    description: `On the JetStream stream ${eventStreamName(prefix)}, in the order of the log.`,
    tags: [{ name: category }],
  };
}

function headersOf(type: string, version: number): JsonSchema {
  const properties = { "ce-type": { const: type }, "Retrace-Schema-Version": { const: String(version) } };
  return { type: "object", properties };
}

const id = { description: "Of the aggregate: 1 to 128 of A-Z a-z 0-9 _ - ~." };

function channel(address: string, messages: Members): JsonSchema {
  return { address, parameters: { id }, messages };
}

function to(kind: "messages" | "schemas", name: string): JsonSchema {
  return { $ref: `#/components/${kind}/${name}` };
}

/** A schema of draft 2020-12 in draft 7, at its place among the components. Of what zod writes, three keywords differ. */
function draft7(schema: JsonSchema, name: string): JsonSchema {
  const { $id: _id, $schema: _draft, ...rest } = schema;
  return asSchema(inDraft7(rest, `#/components/schemas/${name}`));
}

function inDraft7(value: unknown, base: string): unknown {
  if (Array.isArray(value)) return value.map((item) => inDraft7(item, base));
  if (!isObject(value)) return value;
  const { prefixItems, items, $defs, ...rest } = value;
  const schema = {
    ...rest,
    ...(prefixItems === undefined ? { items } : { items: prefixItems, additionalItems: items }),
    definitions: $defs,
  };
  return mapValues(schema, (item, keyword) => {
    if (keyword === "$ref") return String(item).replace(/^#/, base).replace("/$defs/", "/definitions/");
    if (literals.has(keyword)) return item;
    // Their keys are names, not keywords.
    if (maps.has(keyword) && isObject(item)) return mapValues(item, (one) => inDraft7(one, base));
    return inDraft7(item, base);
  });
}

const literals = new Set(["const", "enum", "default", "examples", "required"]);
const maps = new Set(["properties", "patternProperties", "definitions"]);

function mapValues(record: JsonSchema, map: (value: unknown, key: string) => unknown): JsonSchema {
  const present = Object.entries(record).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present.map(([key, value]) => [key, map(value, key)]));
}
