/** Reads a spec from a file, and the numbers of the command line. */
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import type { z } from "zod";
import { type Issue, Refused } from "./refused.ts";

/** The spec in a file of JSON, `-` for stdin. @throws Refused INVALID_SPEC saying what is wrong where. */
export async function readSpec<Spec>(file: string, schema: z.ZodType<Spec>): Promise<Spec> {
  const name = file === "-" ? "stdin" : file;
  const { data, error } = schema.safeParse(parse(await read(file), name));
  if (error === undefined) return data;
  throw new Refused("INVALID_SPEC", `${name} is no spec`, error.issues.flatMap(issuesOf));
}

/** An integer of the command line, both bounds inclusive. @throws Refused INVALID_OPTION. */
export function integerIn(
  option: string,
  written: string,
  { least = 0, most = Number.MAX_SAFE_INTEGER }: { readonly least?: number; readonly most?: number } = {},
): number {
  const number = Number(written);
  if (/^\d{1,16}$/.test(written) && number >= least && number <= most) return number;
  throw new Refused("INVALID_OPTION", `${option} takes an integer from ${least} to ${most}`);
}

async function read(file: string): Promise<string> {
  if (file === "-") return text(process.stdin);
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Refused("INVALID_OPTION", `the spec cannot be read: ${(error as Error).message}`);
  }
}

function parse(written: string, name: string): unknown {
  try {
    return JSON.parse(written);
  } catch (error) {
    throw new Refused("INVALID_SPEC", `${name} is not JSON: ${(error as Error).message}`);
  }
}

/** Of what fits none of several shapes, what is wrong with it as the last of them, the most detailed. */
function issuesOf(issue: z.core.$ZodIssue): Issue[] {
  const at = issue.path.map(String);
  const below = (names: readonly string[]): string => [...at, ...names].join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: below([key]), message: "no such field" }));
  }
  if (issue.code === "invalid_key") {
    return [{ path: below([]), message: issue.issues.map(({ message }) => message).join("; ") }];
  }
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return [{ path: below([]), message: issue.message }];
  const inner = issue.errors.at(-1) ?? [];
  return inner.flatMap((one) => issuesOf({ ...one, path: [...issue.path, ...one.path] } as z.core.$ZodIssue));
}
