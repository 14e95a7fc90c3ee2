/** The verb `catalog`: what can be sent to this runtime, what it emits, and what there is beside the aggregates. */
import type { Command as CliCommand } from "commander";
import { Fault } from "../core/fault.ts";
import type { CatalogReply, CategoryEntry, ProjectionEntry, SagaEntry } from "./catalog-reply.ts";
import { colors } from "./colors.ts";
import { type JsonSchema, schemaFields, typeText } from "./schema-fields.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

const help = `
Examples:
  $ retrace catalog
  $ retrace catalog model
  $ retrace catalog model DeployModel
  $ retrace catalog review-routing
  $ retrace catalog model ApproveVersion --json
`;

/** Adds the verb to the program. */
export function registerCatalog(program: CliCommand): void {
  verbTools
    .clientOptions(
      program
        .command("catalog")
        .description("print categories, sagas and projections, or the fields of one; with --json their schemas, too")
        .argument("[name]", "of a category, a saga or a projection")
        .argument("[type]", "of a command or an event of the category"),
    )
    .addHelpText("after", help)
    .action(async (name: string | undefined, type: string | undefined, options: ClientOptions) => {
      const reply = await withClient(options, (client) => client.query<CatalogReply>("catalog"));
      const { human, value } = name === undefined ? whole(reply) : one(reply, name, type);
      verbTools.print(options, human, value);
    });
}

/** For people, and for programs. */
interface Page {
  readonly human: string;
  readonly value: unknown;
}

function whole(reply: CatalogReply): Page {
  const { categories, sagas, projections } = reply;
  const names = (entries: object): string => Object.keys(entries).join(", ");
  const human = [
    ...Object.entries(categories).map(([category, { commands, events }]) =>
      [category, `  commands  ${names(commands)}`, `  events    ${eventNames(events)}`].join("\n"),
    ),
    ...Object.entries(sagas).map(([name, { description, settings }]) =>
      [`saga ${name}${described(description)}`, `  settings  ${names(propertiesOf(settings))}`].join("\n"),
    ),
    ...Object.entries(projections).map(([name, { description }]) => `projection ${name}${described(description)}`),
    "`retrace catalog NAME` shows the fields of one, or its settings with their defaults",
  ];
  return { human: human.join("\n"), value: reply };
}

function described(description: string | undefined): string {
  return description === undefined ? "" : `: ${description}`;
}

function propertiesOf(schema: JsonSchema): object {
  return (schema.properties ?? {}) as object;
}

function eventNames(events: CategoryEntry["events"]): string {
  return Object.entries(events)
    .map(([type, { version }]) => (version === 1 ? type : `${type} v${version}`))
    .join(", ");
}

/** @throws Fault NOT_FOUND with what there is. */
function one({ categories, sagas, projections }: CatalogReply, name: string, type: string | undefined): Page {
  const category = own(categories, name);
  if (category !== undefined && type !== undefined) return messagePage(name, category, type);
  if (category !== undefined) return { human: categoryText(name, category), value: category };
  const saga = own(sagas, name);
  const projection = own(projections, name);
  if (saga === undefined && projection === undefined) {
    const known = [...Object.keys(categories), ...Object.keys(sagas), ...Object.keys(projections)];
    throw unknown(`there is no category, saga or projection ${name}`, known);
  }
  if (type !== undefined) throw unknown(`${name} is no category: it has no commands and events`, []);
  if (saga !== undefined) return { human: sagaText(name, saga), value: saga };
  return { human: projectionText(name, projection as ProjectionEntry), value: projection };
}

function own<Value>(entries: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(entries, name) ? entries[name] : undefined;
}

function unknown(sentence: string, known: readonly string[]): Fault {
  const there = known.length === 0 ? "" : `; there are ${known.join(", ")}`;
  return new Fault("NOT_FOUND", `${sentence}${there}`, { known });
}

function messagePage(category: string, { commands, events }: CategoryEntry, type: string): Page {
  const command = own(commands, type);
  const event = own(events, type);
  const schema = command ?? event?.schema;
  if (schema === undefined) {
    throw unknown(`${category} has no command or event ${type}`, [...Object.keys(commands), ...Object.keys(events)]);
  }
  const kind = command === undefined ? `event, version ${event?.version}` : "command";
  const human = [`${colors.bold(type)} (${kind} of ${category})`, ...fieldLines(schema)].join("\n");
  return { human, value: command === undefined ? event : { schema } };
}

function categoryText(name: string, { commands, events }: CategoryEntry): string {
  const line = (type: string, schema: JsonSchema): string => `  ${colors.bold(type)} ${typeText(schema)}`;
  return [
    `${name}, commands:`,
    ...Object.entries(commands).map(([type, schema]) => line(type, schema)),
    `${name}, events:`,
    ...Object.entries(events).map(([type, { version, schema }]) =>
      line(version === 1 ? type : `${type} v${version}`, schema),
    ),
    `A field with ? may be left out; \`retrace catalog ${name} TYPE\` says what fields hold`,
  ].join("\n");
}

function sagaText(name: string, { version, description, listens, startedBy, settings, defaults }: SagaEntry): string {
  return [
    `saga ${name}, version ${version}${described(description)}`,
    `  started by  ${startedBy.join(", ")}`,
    `  listens to  ${listens.join(", ")}`,
    `settings, by \`retrace send policy ${name} SetPolicy '{"settings": {...}}'\`:`,
    ...schemaFields(settings).map(({ path, type }) => {
      const value = Object.hasOwn(defaults, path) ? `  default ${JSON.stringify(defaults[path])}` : "";
      return `  ${colors.bold(path)}  ${type}${value}`;
    }),
  ].join("\n");
}

function projectionText(name: string, { version, mode, description }: ProjectionEntry): string {
  return `projection ${name}, version ${version}, ${mode}${described(description)}\nits rows: retrace projection rows ${name}`;
}

/** A line each: the field, whether it has to be there, what it holds. */
function fieldLines(schema: JsonSchema): string[] {
  const fields = schemaFields(schema);
  if (fields.length === 0) return [`  ${typeText(schema)}`];
  const width = Math.max(...fields.map(({ path }) => path.length));
  return fields.map(({ path, type, isRequired, ...rest }) => {
    const value = rest.default === undefined ? "" : `  default ${JSON.stringify(rest.default)}`;
    return `  ${colors.bold(path.padEnd(width))}  ${isRequired ? "required" : "optional"}  ${type}${value}`;
  });
}
