/** The verb `new`: an actor of one's own, with its schemas and its test, that works before a line of it is changed. */
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { Argument, type Command as CliCommand } from "commander";
import { checkCategories } from "../core/check-aggregate.ts";
import { isCategory } from "../core/stream.ts";
import { filesIn, nameOf } from "../runtime/actor-files.ts";
import { builtInActors } from "../runtime/loader.ts";
import { projectNeeds } from "./project-needs.ts";
import { filesFor, type ProjectFile, pascalCase } from "./template.ts";
import { verbTools } from "./tools.ts";
import { writeFiles } from "./write-files.ts";

interface Options {
  readonly dir: string;
  readonly json?: boolean;
}

/** Something that can be made: its template is the folder of the same name under `templates/`. */
interface Kind {
  /** Why the name can never do, whatever the project holds. */
  readonly wrongName: (name: string) => string | undefined;
  /** Why it cannot do in this project. `actors` is the project's folder of actors. */
  readonly clash: (name: string, actors: string) => string | undefined;
  /** Commands that use it once it is served. */
  readonly firstUse: (name: string) => readonly string[];
}

const kinds: Readonly<Record<string, Kind>> = {
  aggregate: {
    wrongName: wrongCategory,
    clash: (name, actors) => clashingCategory(name, aggregatesIn(actors)),
    firstUse: (name) => [
      `npx retrace send ${name} x1 Draft${pascalCase(name)} '{"title": "first"}'`,
      `npx retrace state ${name} x1`,
    ],
  },
};

/** Kinds that the architecture has and the runtime does not serve. */
const plannedKinds = ["saga", "projection"];

/** Adds the verb to the program. */
export function registerNew(program: CliCommand): void {
  program
    .command("new")
    .description("write an aggregate of your own, with its schemas and its test, into your project")
    .addArgument(new Argument("<kind>", "what to make").choices([...Object.keys(kinds), ...plannedKinds]))
    .argument("<name>", "in kebab-case: the name of its files, and its category")
    .option("--dir <dir>", "the folder of the project", ".")
    .option("--json", "output for programs")
    .addHelpText("after", "\nIt never writes over a file.\n\nExample:\n  $ retrace new aggregate experiment\n")
    .action((kind: string, name: string, options: Options, command: CliCommand) => {
      const wrong = kinds[kind]?.wrongName(name);
      if (wrong !== undefined) command.error(`error: ${wrong}`);
      const plan = planFor(kind, name, resolve(options.dir));
      if (plan.outcome === "refused") {
        refuse(options, plan);
      } else {
        writeFiles(plan.folder, plan.files);
        tell(options, plan);
      }
    });
}

interface Plan {
  readonly outcome: "planned";
  readonly kind: string;
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

function planFor(kind: string, name: string, folder: string): Plan | Refusal {
  const maker = kinds[kind];
  if (maker === undefined) {
    const error = `this version serves no ${kind}s, so there is none to write; it makes: ${Object.keys(kinds).join(", ")}`;
    return { outcome: "refused", error, existing: [] };
  }
  const files = filesFor(kind, name);
  const existing = files.map(({ path }) => path).filter((path) => existsSync(join(folder, path)));
  if (existing.length > 0) {
    const error = `${existing.join(", ")} ${existing.length === 1 ? "is" : "are"} there already; nothing was written`;
    return { outcome: "refused", error, existing };
  }
  const clash = maker.clash(name, join(folder, "actors"));
  if (clash !== undefined) return { outcome: "refused", error: clash, existing };
  return { outcome: "planned", kind, name, folder, files, firstUse: maker.firstUse(name) };
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

/** The longest event type of the template, `<Name>Published`, has at most 64 letters and digits. */
const maxLength = 64 - "Published".length;

function wrongCategory(name: string): string | undefined {
  if (name.length > maxLength) return `${name} is too long: at most ${maxLength} characters`;
  if (!isCategory(name)) return `${name} is not kebab-case, like annotation-guide: a-z and 0-9, parted by hyphens`;
  if (name === "saga") return "saga is a name of the runtime; choose another";
  const builtIn = aggregatesIn(builtInActors);
  if (builtIn.includes(name)) return `${name} is a built-in aggregate, which yours would replace; choose another name`;
  return clashingCategory(name, builtIn);
}

function clashingCategory(name: string, categories: readonly string[]): string | undefined {
  if (categories.includes(name)) return `the project has an aggregate ${name}; choose another name`;
  const [clash] = categories.flatMap((other) => checkCategories([name, other]));
  return clash === undefined ? undefined : `${clash}; choose another name`;
}

function aggregatesIn(actors: string): string[] {
  return filesIn(join(actors, "aggregates")).map(nameOf);
}
