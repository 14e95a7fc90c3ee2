/** The options of verbs that look at an aggregate as of a point in its past. */
import { type Command as CliCommand, Option } from "commander";
import type { AsOf } from "../wire/client.ts";
import { parseInteger, parseTime } from "./parse.ts";

/** Adds `--at-version`, `--at-position`, `--at-recorded` and `--at-occurred`, of which at most one may be given. */
export function pointOptions(command: CliCommand): CliCommand {
  return command
    .addOption(point("--at-version <v>", "as of this version of its stream").argParser(parseInteger))
    .addOption(point("--at-position <p>", "as of this position of the log").argParser(parseInteger))
    .addOption(point("--at-recorded <time>", "what was known then, ISO 8601").argParser(parseTime))
    .addOption(point("--at-occurred <time>", "what had happened by then, ISO 8601").argParser(parseTime));
}

const points = ["atVersion", "atPosition", "atRecorded", "atOccurred"] as const;

function point(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.conflicts(points.filter((name) => name !== option.attributeName()));
}

/** The point that the options name; nothing is now. */
export function pointIn(options: AsOf): AsOf {
  return Object.fromEntries(points.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));
}
