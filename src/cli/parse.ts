/** Parsing option values, and the options that several verbs have; what does not parse is wrong usage. */
import { InvalidArgumentError, Option } from "commander";
import { isPrefix } from "../wire/subjects.ts";

/** An integer from 0. */
export function parseInteger(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("an integer from 0");
}

/** An integer from 1. */
export function parseFromOne(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("an integer from 1");
}

/** What is said of a text that is no time. */
export const timeWanted = "a time with its zone, like 2026-01-31T12:00:00Z";

/** Whether a text is a time as ISO 8601 with its zone. */
export function isTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d.*(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text));
}

/** A time; the text as it is. */
export function parseTime(text: string): string {
  if (isTime(text)) return text;
  throw new InvalidArgumentError(timeWanted);
}

/** Free text that travels in a header: ids and names. */
export function parseHeaderText(text: string): string {
  if (/^\P{Cc}{1,256}$/u.test(text)) return text;
  throw new InvalidArgumentError("1 to 256 characters, none of them a control character");
}

/** Things are named one by one, or all are meant. @throws InvalidArgumentError for neither and for both. */
export function assertNamedOrAll(isNamed: boolean, isAll: boolean, what: string): void {
  if (isNamed !== isAll) return;
  throw new InvalidArgumentError(isNamed ? `name ${what} or --all, not both` : `name ${what}, or give --all`);
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
