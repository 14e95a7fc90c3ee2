/** The verb `new`: an actor of one's own, with its test, that works before a line of it is changed. */
import { existsSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { Argument, type Command as CliCommand } from "commander";
import { clashingName, namesIn, wrongName } from "./actor-names.ts";
import { projectNeeds } from "./project-needs.ts";
import { filesFor, type Kind, namesUsed, type ProjectFile, pascalCase } from "./template.ts";
import { verbTools } from "./tools.ts";
import { writeFiles } from "./write-files.ts";

interface Options {
  readonly dir: string;
  readonly aggregate?: string;
  readonly json?: boolean;
}

/** Commands that use what was made, once it is served. */
const firstUses: Readonly<Record<Kind, (name: string, aggregate: string) => readonly string[]>> = {
  aggregate: (name) => [draftOf(name), `npx retrace state ${name} x1`],
  saga: (name, aggregate) => [draftOf(aggregate), `npx retrace saga show ${name} x1`],
  projection: (name, aggregate) => [draftOf(aggregate), `npx retrace projection rows ${name}`],
};

const kinds = Object.keys(firstUses) as Kind[];

const help = `
Sagas and projections are written about an aggregate that this verb has written. They come with one of their own,
NAME-item, where the project has none. No file is ever written over.

Examples:
  $ retrace new aggregate experiment
  $ retrace new saga publisher --aggregate experiment
  $ retrace new projection titles --aggregate experiment
`;

/** Adds the verb to the program. */
export function registerNew(program: CliCommand): void {
  program
    .command("new")
    .description("write an aggregate, a saga or a projection of your own, with its test, into your project")
    .addArgument(new Argument("<kind>", "what to make").choices(kinds))
    .argument("<name>", "in kebab-case: the name of its files, and of an aggregate its category")
    .option("--aggregate <category>", "whose events a saga or a projection listens to: an aggregate of the project")
    .option("--dir <dir>", "the folder of the project", ".")
    .option("--json", "output for programs")
    .addHelpText("after", help)
    .action((kind: Kind, name: string, options: Options, command: CliCommand) => {
      const wrong = wrongUsage(kind, name, options);
      if (wrong !== undefined) command.error(`error: ${wrong}`);
      const plan = planFor(kind, name, options);
      if (plan.outcome === "refused") {
        refuse(options, plan);
      } else {
        writeFiles(plan.folder, plan.files);
        tell(options, plan);
      }
    });
}

function wrongUsage(kind: Kind, name: string, { aggregate }: Options): string | undefined {
  if (kind === "aggregate" && aggregate !== undefined) return "an aggregate listens to none: leave --aggregate out";
  return wrongName(kind, name);
}

interface Plan {
  readonly outcome: "planned";
  readonly kind: Kind;
  readonly name: string;
  /** Of the project, absolute. */
  readonly folder: string;
  readonly files: readonly ProjectFile[];
  readonly firstUse: readonly string[];
}

interface Refusal {
  readonly outcome: "refused";
  readonly error: string;
  /** The files in the way. */
  readonly existing: readonly string[];
}

function planFor(kind: Kind, name: string, options: Options): Plan | Refusal {
  const folder = resolve(options.dir);
  const aggregate = kind === "aggregate" ? name : (options.aggregate ?? itemOf(name));
  const isWritten = kind === "aggregate" || options.aggregate === undefined;
  const files = [
    ...(isWritten ? filesFor("aggregate", { aggregate }) : []),
    ...(kind === "aggregate" ? [] : filesFor(kind, { aggregate, [kind]: name })),
  ];
  const existing = files.map(({ path }) => path).filter((path) => existsSync(join(folder, path)));
  if (existing.length > 0) {
    const error = `${existing.join(", ")} ${existing.length === 1 ? "is" : "are"} there already; nothing was written`;
    return { outcome: "refused", error, existing };
  }
  const error = clashingName(kind, name, join(folder, "actors")) ?? unfitAggregate(kind, name, options);
  if (error !== undefined) return { outcome: "refused", error, existing };
  return { outcome: "planned", kind, name, folder, files, firstUse: firstUses[kind](name, aggregate) };
}

/** Why a saga or a projection cannot be about the aggregate that was named, or about one of its own. */
function unfitAggregate(kind: Kind, name: string, { aggregate, dir }: Options): string | undefined {
  if (kind === "aggregate") return undefined;
  const known = namesIn(join(dir, "actors"), "aggregate");
  if (aggregate === undefined) {
    if (known.length === 0) return wrongName("aggregate", itemOf(name));
    return `name the aggregate that the ${kind} listens to: --aggregate ${known.join(", or --aggregate ")}`;
  }
  if (!known.includes(aggregate)) {
    return `the project has no aggregate ${aggregate}; name one that this verb has written: retrace new aggregate NAME`;
  }
  const schemas = join(dir, "schemas", `${aggregate}.ts`);
  const text = existsSync(schemas) ? readFileSync(schemas, "utf8") : "";
  const missing = namesUsed(kind, aggregate).filter((used) => !text.includes(used));
  if (missing.length === 0) return undefined;
  return `schemas/${aggregate}.ts lacks ${missing.join(", ")}: name an aggregate that is as this verb has written it, and change afterwards what the ${kind} listens to`;
}

/** A sentence for people on stderr, for programs an object on stdout as well; the status is 1. */
function refuse(options: Options, { error, existing }: Refusal): void {
  process.stderr.write(`retrace: ${error}\n`);
  if (options.json === true) verbTools.print(options, "", { error, existing });
  verbTools.exitCode(1);
}

function tell(options: Options, { kind, name, folder, files, firstUse }: Plan): void {
  const paths = files.map(({ path }) => path);
  const needs = projectNeeds(folder);
  const next = [
    ...paths.filter((path) => path.endsWith(".test.ts")).map((path) => `npx vitest run ${path}`),
    "npx retrace start --actors ./actors",
    ...firstUse,
  ];
  const away = relative(process.cwd(), folder);
  const human = [
    ...paths.map((path) => `wrote ${join(away, path)}`),
    ...(away === "" ? [] : ["", `What follows is run in ${folder}.`]),
    ...(needs.length === 0 ? [] : ["", "What the project still needs:", ...needs.map(indented)]),
    ...["", "Test it, serve it, and use it from another terminal:", ...next.map(indented)],
  ];
  verbTools.print(options, human.join("\n"), { kind, name, folder, files: paths, needs, next });
}

function indented(line: string): string {
  return `  ${line}`;
}

/** Of the aggregate that comes with a saga or a projection. */
function itemOf(name: string): string {
  return `${name}-item`;
}

function draftOf(category: string): string {
  return `npx retrace send ${category} x1 Draft${pascalCase(category)} '{"title": "first"}'`;
}
