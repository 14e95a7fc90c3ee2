/** The verb `contracts`: what the actors take and emit, as files for others, and what a change of it breaks. */
import { type Command as CliCommand, Option } from "commander";
import { builtInActors } from "../runtime/actor-files.ts";
import { type ContractChange, type Contracts, compareContracts } from "../runtime/contracts/compatibility.ts";
import { contractsOf } from "../runtime/contracts/contracts.ts";
import { readContracts, type WrittenContracts, writeContracts } from "../runtime/contracts/folder.ts";
import { loadActors } from "../runtime/loader.ts";
import { counted } from "./counted.ts";
import { actorsOption, prefixOption } from "./parse.ts";
import { verbTools } from "./tools.ts";

interface Options {
  readonly out?: string;
  readonly against?: string;
  readonly actors: readonly string[];
  readonly prefix: string;
  readonly json?: boolean;
}

const help = `
--out writes commands/<category>/<Type>.json and events/<category>/<Type>.v<version>.json, JSON Schema 2020-12, and
asyncapi.json, AsyncAPI 3. Keep the folder with the code: files of older versions stay in it, for those who read old events.

--against ends with 1 when a change breaks those who read events or send commands by the contracts of the folder. An event
may get optional fields; what makes it stricter needs a new version with an upcaster; what takes away a field, its type or
its presence breaks readers even so. What a schema checks by a function (refine) is not in its contract.

Examples:
  $ retrace contracts --out contracts
  $ retrace contracts --against contracts --actors ./actors
`;

/** Adds the verb to the program. */
export function registerContracts(program: CliCommand): void {
  program
    .command("contracts")
    .description("write what commands and events carry as JSON Schema and AsyncAPI, or say what a change of it breaks")
    .option("--out <dir>", "write the contracts there")
    .addOption(new Option("--against <dir>", "compare with the contracts written there before").conflicts("out"))
    .addOption(actorsOption())
    .addOption(prefixOption())
    .option("--json", "output for programs")
    .addHelpText("after", help)
    .action(async (options: Options, command: CliCommand) => {
      const { out, against, actors, prefix } = options;
      if (out === undefined && against === undefined) command.error("error: give --out DIR or --against DIR");
      const contracts = contractsOf(await loadActors([builtInActors, ...actors]));
      if (against !== undefined) return compare(against, contracts, { options, command });
      const written = writeContracts(out as string, { contracts, prefix });
      if (typeof written === "string") command.error(`error: ${written}`);
      verbTools.print(options, describe(out as string, written), { out, ...written });
    });
}

interface Call {
  readonly options: Options;
  readonly command: CliCommand;
}

function compare(folder: string, contracts: Contracts, call: Call): void {
  const before = readContracts(folder);
  if (typeof before === "string") call.command.error(`error: ${before}`);
  const changes = compareContracts(before, contracts);
  const compatible = !changes.some(({ verdict }) => verdict === "breaks");
  verbTools.print(call.options, [...changes.map(line), summary(changes)].join("\n"), { compatible, changes });
  if (!compatible) verbTools.exitCode(1);
}

function line({ contract, path, what, verdict, whom }: ContractChange): string {
  const verdicts = {
    breaks: `breaks ${whom === "log" ? "the log" : whom}`,
    check: `check ${whom}`,
    compatible: "compatible",
  };
  return `${contract}: ${path === "" ? "" : `${path}: `}${what} (${verdicts[verdict]})`;
}

function summary(changes: readonly ContractChange[]): string {
  const count = (wanted: string) => changes.filter(({ verdict }) => verdict === wanted).length;
  if (changes.length === 0) return "nothing changed";
  return `${count("breaks")} breaking, ${count("check")} to check, ${count("compatible")} compatible`;
}

function describe(folder: string, { added, changed, removed, unchanged }: WrittenContracts): string {
  const lines = [
    // In a new folder, everything is.
    ...(unchanged + changed.length > 0 ? added.map((path) => `added ${path}`) : []),
    ...changed.map(
      (path) => `changed ${path}${path.startsWith("events/") ? ": another schema under the same version" : ""}`,
    ),
    ...removed.map((path) => `removed ${path}`),
  ];
  const files = added.length + changed.length + unchanged;
  return [...lines, `${folder}: ${counted(files, "file")}, ${added.length + changed.length} written`].join("\n");
}
