/** The verb `chart`: the statecharts of aggregates, for people to look at. It reads the actors folders and needs no runtime. */
import type { Command as CliCommand } from "commander";
import type { Aggregate } from "../core/aggregate.ts";
import { type ChartDefinition, chartDefinition } from "../core/chart-definition.ts";
import { chartPicture, chartsOf, type TitledChart } from "../core/chart-picture.ts";
import { Fault } from "../core/fault.ts";
import { builtInActors, type LoadedActors, loadActors } from "../runtime/loader.ts";
import { actorsOption } from "./parse.ts";
import { verbTools } from "./tools.ts";

interface Options {
  readonly all?: boolean;
  readonly actors: readonly string[];
  readonly json?: boolean;
}

const help = `
The pictures are Mermaid's: paste one at mermaid.live, or in Markdown into a block that opens with \`\`\`mermaid.
With --json each line is one XState machine config, its guards and actions by name; meta tells whose chart it is.
To see one in Stately's editor, make a new machine there, press Import in the Code panel, and paste what the last
example prints.

Examples:
  $ retrace chart dataset
  $ retrace chart --all --actors ./actors
  $ printf 'createMachine(%s)\\n' "$(retrace chart model --json | head -1)"
`;

/** Adds the verb to the program. */
export function registerChart(program: CliCommand): void {
  program
    .command("chart")
    .description(
      "print the statecharts of aggregates and of their parts as Mermaid; with --json as XState machine configs",
    )
    .argument("[category...]")
    .option("--all", "of every category")
    .addOption(actorsOption("--actors <dir>", "folders with more actors, beside the built-in ones; may be repeated"))
    .option("--json", "output for programs")
    .addHelpText("after", help)
    .action(async (categories: readonly string[], options: Options, command: CliCommand) => {
      const actors = await loadActors([builtInActors, ...options.actors]);
      const known = [...actors.aggregates.keys()].sort();
      const wanted = options.all === true ? known : [...new Set(categories)];
      if (wanted.length === 0) command.error(`error: name a category, or give --all; there are ${known.join(", ")}`);
      const charts = wanted.map((category) => aggregateOf(actors, category, known)).flatMap(printed);
      if (options.json === true) for (const { definition } of charts) verbTools.print(options, "", definition);
      else process.stdout.write(`${charts.map(({ picture }) => picture).join("\n\n")}\n`);
    });
}

function aggregateOf({ aggregates }: LoadedActors, category: string, known: readonly string[]): Aggregate {
  const loaded = aggregates.get(category);
  if (loaded !== undefined) return loaded.aggregate;
  throw new Fault("UNKNOWN_CATEGORY", `there is no category ${category}; there are ${known.join(", ")}`, { known });
}

interface Printed {
  readonly picture: string;
  readonly definition: ChartDefinition;
}

function printed(aggregate: Aggregate): Printed[] {
  return chartsOf(aggregate).map(({ machine, title, part }: TitledChart) => {
    const definition = chartDefinition(machine);
    const whose = { category: aggregate.category, ...(part !== undefined && { part }) };
    return {
      picture: chartPicture(machine, title),
      definition: { ...definition, meta: { ...(definition.meta as object | undefined), ...whose } },
    };
  });
}
