/** The verb `projection`: which there are and how they are, their rows, and what becomes of builds and parked events. */
import type { Command as CliCommand } from "commander";
import { colors } from "./colors.ts";
import { counted } from "./counted.ts";
import { parseFromOne, parseInteger } from "./parse.ts";
import { printParked, retryParked, skipParked } from "./projection-parked.ts";
import { collectWhere, printDiff, printRows } from "./projection-rows.ts";
import { buildFollowed, listed, type ProjectionLine, statusOf } from "./projection-status.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

/** Adds the verb to the program. */
export function registerProjection(program: CliCommand): void {
  const projection = program
    .command("projection")
    .description("rows made from the log: list, rows, rebuild, cancel, diff, switch, drop, parked, retry, skip")
    .addHelpText("after", examples("list", "rows model-catalog", "rebuild cohorts --hold", "diff cohorts"));
  part(projection, "list", "print the projections and how they are; with --json one a line", "list").action(list);
  registerRows(projection);
  part(
    projection,
    "rebuild",
    "make the rows anew from the log, beside those that are read, then switch",
    "rebuild audit",
  )
    .argument("<name>")
    .option("--hold", "do not switch: keep the new rows up beside the live ones, for diff and switch")
    .option("--no-wait", "only begin; health shows how far it is")
    .action(rebuild);
  part(projection, "cancel", "give up the build under way; what is read stays as it is", "cancel audit")
    .argument("<name>")
    .action((name: string, options: ClientOptions) => change(options, "cancel-build", name, "the build is given up"));
  part(
    projection,
    "diff",
    "compare rows; status 1 when they differ. NAME alone compares what is live with what stands by",
    "diff audit",
    "diff audit@2 audit@3",
    "diff cohorts cohorts-by-region",
  )
    .argument("<a>", "a projection, or NAME@standby, NAME@VERSION")
    .argument("[b]", "likewise; default: what stands by of the first")
    .action(printDiff);
  part(projection, "switch", "read what stands by; what was read stands by from then on", "switch audit")
    .argument("<name>")
    .action((name: string, options: ClientOptions) => change(options, "switch", name, "what stood by is live"));
  part(projection, "drop", "give up what stands by", "drop audit")
    .argument("<name>")
    .action((name: string, options: ClientOptions) =>
      change(options, "drop-standby", name, "nothing stands by any more"),
    );
  part(projection, "parked", "print the events that the projection could not take", "parked audit")
    .argument("<name>")
    .action(printParked);
  partOfParked(projection, "retry", "apply parked events to the rows as they are now, out of their order").action(
    retryParked,
  );
  partOfParked(projection, "skip", "leave parked events out of the rows for good").action(skipParked);
}

function part(projection: CliCommand, name: string, description: string, ...lines: readonly string[]): CliCommand {
  const command = projection.command(name).description(description);
  return verbTools.clientOptions(command).addHelpText("after", examples(...lines));
}

function partOfParked(projection: CliCommand, name: string, description: string): CliCommand {
  return part(projection, name, description, `${name} audit 17 18`, `${name} audit --all`)
    .argument("<name>")
    .argument("[positions...]", "of the events", collectPositions, [])
    .option("--all", "all that are parked");
}

function registerRows(projection: CliCommand): void {
  part(
    projection,
    "rows",
    "print rows, one a line",
    "rows training-summaries r42",
    "rows training-summaries --where status=failed --limit 10",
    "rows model-catalog m1 --at-position 1000",
  )
    .argument("<name>")
    .argument("[key]", "of one row; default: all")
    .option("--key-prefix <text>", "only keys that begin so")
    .option("--where <field=value...>", "only rows with this value; JSON, or a text as it is", collectWhere, {})
    .option("--limit <n>", "rows at most", parseInteger)
    .option("--at-position <n>", "as the rows were then", parseInteger)
    .action(printRows);
}

function examples(...lines: readonly string[]): string {
  const shown = lines.map((line) => `  $ retrace projection ${line}\n`).join("");
  return `\nExample${lines.length > 1 ? "s" : ""}:\n${shown}`;
}

function collectPositions(text: string, before: readonly number[]): number[] {
  return [...before, parseFromOne(text)];
}

async function list(options: ClientOptions): Promise<void> {
  const projections = await withClient(options, (client) => listed(client));
  for (const projection of projections) verbTools.print(options, describe(projection), projection);
}

function describe({
  name,
  version,
  mode,
  status,
  position,
  lagEvents,
  parked,
  progress,
  standby,
  reason,
}: ProjectionLine): string {
  const parts = [
    `${colors.bold(name)} ${colors.dim(`version ${version}, ${mode}`)}`,
    status === "live" ? colors.green(status) : colors.yellow(status),
    `at ${position}`,
    lagEvents > 0 ? `${counted(lagEvents, "event")} behind` : "",
    parked > 0 ? colors.red(`${parked} parked`) : "",
    progress === undefined ? "" : `building version ${progress.version}: ${progress.position} of ${progress.of}`,
    standby === undefined ? "" : `version ${standby.version} stands by`,
    reason ?? "",
  ];
  return parts.filter((text) => text !== "").join("  ");
}

interface RebuildOptions extends ClientOptions {
  readonly hold?: boolean;
  readonly wait: boolean;
}

function rebuild(name: string, { hold = false, wait, ...options }: RebuildOptions): Promise<void> {
  return withClient(options, async (client) => {
    const begun = await client.admin<{ readonly generation: number; readonly version: number; readonly of: number }>(
      "rebuild",
      { name, hold },
    );
    if (!wait) {
      verbTools.print(options, `the build of ${name} version ${begun.version} has begun`, begun);
      return;
    }
    const outcome = await buildFollowed(client, name, begun);
    const how = { live: "is built and live", standby: "is built and stands by", lost: "was given up, or begun anew" };
    const status = await statusOf(client, name);
    verbTools.print(options, `${name} version ${begun.version} ${how[outcome]}`, { outcome, ...status });
    if (outcome === "lost") verbTools.exitCode(1);
  });
}

async function change(options: ClientOptions, verb: string, name: string, human: string): Promise<void> {
  const reply = await withClient(options, (client) => client.admin<Readonly<Record<string, unknown>>>(verb, { name }));
  verbTools.print(options, `${name}: ${human}`, reply);
}
