/** Reads a rule from a file. */
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { type Rule, rule } from "../../../schemas/rule.ts";
import { WrongUsage } from "../print/wrong-usage.ts";

/** The rule in a file of JSON, `-` for stdin. @throws WrongUsage saying what is wrong where. */
export async function readRule(file: string): Promise<Rule> {
  const name = file === "-" ? "stdin" : file;
  const { data, error } = rule.safeParse(parse(await read(file), name));
  if (error === undefined) return data;
  const issues = error.issues.map(({ path, message }) => `\n  ${path.join(".") || "rule"}: ${message}`);
  throw new WrongUsage(`${name} is no rule:${issues.join("")}`);
}

async function read(file: string): Promise<string> {
  if (file === "-") return text(process.stdin);
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new WrongUsage(`the rule cannot be read: ${(error as Error).message}`);
  }
}

function parse(written: string, name: string): unknown {
  try {
    return JSON.parse(written);
  } catch (error) {
    throw new WrongUsage(`${name} is not JSON: ${(error as Error).message}`);
  }
}
