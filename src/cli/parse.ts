/** Parsing option values, and the options that several verbs have; what does not parse is wrong usage. */
import { InvalidArgumentError, Option } from "commander";
import { isPrefix } from "../wire/subjects.ts";

/** An integer from 0. */
export function parseInteger(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("an integer from 0");
}

/** The number of a TCP port, 0 for a free one. */
export function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError("an integer from 0 to 65535");
}

function parsePrefix(text: string): string {
  if (isPrefix(text)) return text;
  throw new InvalidArgumentError("1 to 32 of A-Z a-z 0-9 _ -");
}

/** Folders, several of them with commas between; adds to those before. */
function collectFolders(text: string, before: readonly string[] = []): string[] {
  return [...before, ...text.split(",")];
}

/** One value more of an option that may be repeated. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** `--prefix P`, wherever subjects are named. */
export function prefixOption(): Option {
  return new Option("--prefix <p>", "first token of all subjects")
    .default("retrace")
    .argParser(parsePrefix)
    .env("RETRACE_PREFIX");
}

/** `--actors DIR...`, wherever actors are loaded. */
export function actorsOption(
  flags = "--actors <dir...>",
  description = "folders with more actors, beside the built-in ones",
): Option {
  return new Option(flags, description).default([]).argParser(collectFolders).env("RETRACE_ACTORS");
}
