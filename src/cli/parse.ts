/** Parsing option values; what does not parse is wrong usage. */
import { InvalidArgumentError } from "commander";

/** An integer from 0. */
export function parseInteger(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("an integer from 0");
}

/** One value more of an option that may be repeated. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
