/**
 * The loader: reads the actors folders, checks every rule, and reports all problems at once. The name of a file is the
 * name of what it defines.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Aggregate } from "../core/aggregate.ts";
import { checkAggregate, checkCategories } from "../core/check-aggregate.ts";
import { StartRefused } from "../core/fault.ts";
import { defaultExport, filesIn, nameOf } from "./actor-files.ts";

/** An aggregate that has passed the rules, with the fingerprint under which its snapshots are valid. */
export interface LoadedAggregate {
  readonly aggregate: Aggregate;
  /** Changes with the chart, the schemas, and any file of the actors folder. */
  readonly fingerprint: string;
}

/** Everything the actors folders hold. */
export interface LoadedActors {
  readonly aggregates: ReadonlyMap<string, LoadedAggregate>;
}

/** The actors that ship with Retrace: beside `src`, in the sources as in the build. */
export const builtInActors = fileURLToPath(new URL("../../actors", import.meta.url));

/** The folders that an actors folder may hold. */
const kinds = ["aggregates", "sagas", "projections", "verbs"];

/**
 * Loads the aggregates of several folders; a file of a later folder replaces one of the same name in an earlier one.
 * @throws StartRefused listing every problem of every file.
 */
export async function loadActors(folders: readonly string[]): Promise<LoadedActors> {
  const problems: string[] = [];
  const aggregates = new Map<string, LoadedAggregate>();
  for (const folder of distinct(folders)) {
    if (!existsSync(folder)) {
      problems.push(`${folder}: there is no such folder`);
      continue;
    }
    if (!kinds.some((kind) => existsSync(join(folder, kind)))) {
      problems.push(`${folder}: has none of the folders ${kinds.join(", ")}`);
      continue;
    }
    const code = fingerprintOfFolder(folder);
    for (const file of filesIn(join(folder, "aggregates"))) {
      const loaded = await loadAggregate(file, code);
      if (Array.isArray(loaded)) problems.push(...loaded.map((problem) => `${file}: ${problem}`));
      else aggregates.set(loaded.aggregate.category, loaded);
    }
  }
  problems.push(...checkCategories([...aggregates.keys()]));
  refuseOn(problems);
  return { aggregates };
}

/** Takes aggregates that a program has in hand instead of in files. @throws StartRefused like `loadActors`. */
export function takeAggregates(aggregates: readonly Aggregate[]): LoadedActors {
  const problems = aggregates.flatMap((aggregate) =>
    checkAggregate(aggregate).map((problem) => `${aggregate.category}: ${problem}`),
  );
  const categories = aggregates.map(({ category }) => category);
  problems.push(...checkCategories(categories));
  if (new Set(categories).size < categories.length) problems.push("two aggregates have the same category");
  refuseOn(problems);
  return {
    aggregates: new Map(
      aggregates.map((aggregate) => [aggregate.category, { aggregate, fingerprint: fingerprintOf(aggregate, "") }]),
    ),
  };
}

function distinct(folders: readonly string[]): string[] {
  return [...new Set(folders.map((folder) => resolve(folder)))];
}

function refuseOn(problems: readonly string[]): void {
  if (problems.length === 0) return;
  const count = problems.length === 1 ? "a problem" : `${problems.length} problems`;
  const list = problems.map((problem) => `  ${withHint(problem).replaceAll("\n", "\n      ")}`).join("\n");
  throw new StartRefused(`the actors have ${count}:\n${list}`);
}

/** What actors import is looked for beside them, where a first try has often not installed it. */
function withHint(problem: string): string {
  const isNotInstalled = /Cannot find (module|package) '(retrace|xstate|zod)['/]/.test(problem);
  return isNotInstalled ? `${problem}\ninstall it beside your actors: npm install retrace xstate zod` : problem;
}

async function loadAggregate(file: string, code: string): Promise<LoadedAggregate | string[]> {
  const value = await defaultExport(file);
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null || (value as { kind?: unknown }).kind !== "aggregate") {
    return ["the default export is not an aggregate made by defineAggregate"];
  }
  const aggregate = value as Aggregate;
  const isNamed = aggregate.category === nameOf(file);
  const problems = isNamed ? [] : [`category ${aggregate.category} is not the name of the file, ${nameOf(file)}`];
  try {
    problems.push(...checkAggregate(aggregate));
    return problems.length > 0 ? problems : { aggregate, fingerprint: fingerprintOf(aggregate, code) };
  } catch (error) {
    // What is not even built like an aggregate must not hide the problems of the other files.
    return [...problems, `cannot be checked: ${(error as Error).message}`];
  }
}

function fingerprintOfFolder(folder: string): string {
  const digest = createHash("sha256");
  for (const root of [folder, resolve(folder, "..", "schemas")]) {
    if (!existsSync(root)) continue;
    const files = readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|js|mjs)$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name));
    for (const file of files.sort()) digest.update(readFileSync(file));
  }
  return digest.digest("hex");
}

function fingerprintOf(aggregate: Aggregate, code: string): string {
  const { machine, parts, eventSchemas } = aggregate;
  const description = {
    code,
    machine: machine.config,
    implementations: machine.implementations,
    parts: parts.map((part) => [part.machine.config, part.machine.implementations]),
    events: Object.entries(eventSchemas).map(([type, { version, schema, upcasters }]) => {
      return [type, version, jsonSchema(schema), upcasters];
    }),
  };
  const text = JSON.stringify(description, (_key, value) => (typeof value === "function" ? sourceOf(value) : value));
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** XState's assign() is the same text for every assignment; what it was given is its own. */
function sourceOf(value: { readonly assignment?: unknown }): unknown {
  return [String(value), value.assignment];
}

/** A schema as JSON Schema, draft 2020-12, as a writer sees it. */
export function jsonSchema(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
}
