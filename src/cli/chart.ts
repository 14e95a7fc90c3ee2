/** The verb `chart`: the statecharts of aggregates and sagas, for people to look at. It reads the actors folders and needs no runtime. */
import type { Command as CliCommand } from "commander";
import { type ChartDefinition, chartDefinition } from "../core/chart-definition.ts";
import { chartOf, chartPicture, chartsOf, type TitledChart } from "../core/chart-picture.ts";
import { Fault } from "../core/fault.ts";
import { builtInActors } from "../runtime/actor-files.ts";
import { type LoadedActors, loadActors } from "../runtime/loader.ts";
import { actorsOption } from "./parse.ts";
import { verbTools } from "./tools.ts";

interface Options {
  readonly all?: boolean;
  readonly actors: readonly string[];
  readonly json?: boolean;
}

const help = `
The pictures are Mermaid's: paste one at mermaid.live, or in Markdown into a block that opens with \`\`\`mermaid.
An arrow of a saga says, behind a slash, what the saga sends, asks or sets a timer for.
With --json each line is one XState machine config, its guards and actions by name; meta tells whose chart it is.
To see one in Stately's editor, make a new machine there, press Import in the Code panel, and paste what the last
example prints.

Examples:
  $ retrace chart dataset
  $ retrace chart model-promotion
  $ retrace chart --all --actors ./actors
  $ printf 'createMachine(%s)\\n' "$(retrace chart model --json | head -1)"
`;

/** Adds the verb to the program. */
export function registerChart(program: CliCommand): void {
  program
    .command("chart")
    .description(
      "print the statecharts of aggregates, their parts and sagas as Mermaid; with --json as XState machine configs",
    )
    .argument("[name...]", "categories, and names of sagas")
    .option("--all", "of everything")
    .addOption(actorsOption("--actors <dir>", "folders with more actors, beside the built-in ones; may be repeated"))
    .option("--json", "output for programs")
    .addHelpText("after", help)
    .action(async (names: readonly string[], options: Options, command: CliCommand) => {
      const actors = await loadActors([builtInActors, ...options.actors]);
      const known = [...[...actors.aggregates.keys()].sort(), ...[...actors.sagas.keys()].sort()];
      const wanted = options.all === true ? new Set(known) : new Set(names);
      if (wanted.size === 0) command.error(`error: name a category or a saga, or give --all; there are ${list(known)}`);
      const charts = [...wanted].flatMap((name) => chartsNamed(actors, name, known)).map(printed);
      if (options.json === true) for (const { definition } of charts) verbTools.print(options, "", definition);
      else process.stdout.write(`${charts.map(({ picture }) => picture).join("\n\n")}\n`);
    });
}

/** A chart and, for programs, whose it is. */
interface Owned extends TitledChart {
  readonly owner: { readonly category: string } | { readonly saga: string };
}

/** An aggregate and a saga may have the same name: then it is both. */
function chartsNamed({ aggregates, sagas }: LoadedActors, name: string, known: readonly string[]): Owned[] {
  const aggregate = aggregates.get(name)?.aggregate;
  const saga = sagas.get(name)?.saga;
  if (aggregate === undefined && saga === undefined) {
    throw new Fault("UNKNOWN_CATEGORY", `there is no category and no saga ${name}; there are ${list(known)}`, {
      known,
    });
  }
  return [
    ...(aggregate === undefined ? [] : chartsOf(aggregate).map((chart) => ({ ...chart, owner: { category: name } }))),
    ...(saga === undefined ? [] : [{ ...chartOf(saga), owner: { saga: name } }]),
  ];
}

function list(names: readonly string[]): string {
  return names.join(", ");
}

interface Printed {
  readonly picture: string;
  readonly definition: ChartDefinition;
}

function printed({ machine, title, part, owner }: Owned): Printed {
  const definition = chartDefinition(machine);
  const whose = { ...owner, ...(part !== undefined && { part }) };
  return {
    picture: chartPicture(machine, title),
    definition: { ...definition, meta: { ...(definition.meta as object | undefined), ...whose } },
  };
}
