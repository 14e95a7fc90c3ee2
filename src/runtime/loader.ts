/**
 * The loader: reads the actors folders, checks every rule, and reports all problems at once. The name of a file is the
 * name of what it defines.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { Aggregate } from "../core/aggregate.ts";
import { checkAggregate, checkCategories } from "../core/check-aggregate.ts";
import { checkListensTo, checkProjection } from "../core/check-projection.ts";
import { checkSaga, checkSagaNames } from "../core/check-saga.ts";
import { StartRefused } from "../core/fault.ts";
import type { Projection } from "../core/projection.ts";
import type { Saga } from "../core/saga.ts";
import { defaultExport, filesIn, nameOf } from "./actor-files.ts";
import { descriptionOf } from "./fingerprint.ts";
import { type LoadedSaga, loadedSaga } from "./sagas/loaded-saga.ts";

/** An aggregate that has passed the rules, with the fingerprint under which its snapshots are valid. */
export interface LoadedAggregate {
  readonly aggregate: Aggregate;
  /** Changes with the chart, the schemas, and any file of the actors folder. */
  readonly fingerprint: string;
}

/** Everything the actors folders hold, by name. */
export interface LoadedActors {
  readonly aggregates: ReadonlyMap<string, LoadedAggregate>;
  readonly sagas: ReadonlyMap<string, LoadedSaga>;
  readonly projections: ReadonlyMap<string, Projection>;
  /** By the same names: versions that are kept up beside those, until somebody switches. */
  readonly nextProjections: ReadonlyMap<string, Projection>;
}

/** What a program may have in hand instead of in files. */
export type ActorDefinition = Aggregate | Saga | Projection;

/** The folders that an actors folder may hold. */
const kinds = ["aggregates", "sagas", "projections", "verbs"];

/**
 * Loads the actors of several folders; a file of a later folder replaces one of the same name in an earlier one.
 * @throws StartRefused listing every problem of every file.
 */
export async function loadActors(folders: readonly string[]): Promise<LoadedActors> {
  const problems: string[] = [];
  const aggregates = new Map<string, LoadedAggregate>();
  const sagas: Found<Saga>[] = [];
  const projections: Found<Projection>[] = [];
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
    problems.push(...(await findIn(join(folder, "sagas"), "saga", sagas)));
    problems.push(...(await findIn(join(folder, "projections"), "projection", projections)));
  }
  problems.push(...checkCategories([...aggregates.keys()]));
  problems.push(...checkFollowers(sagas, projections, aggregates));
  problems.push(...checkNextVersions(projections));
  refuseOn(problems);
  return {
    aggregates,
    sagas: new Map(sagas.map(({ actor }) => [actor.name, loadedSaga(actor)])),
    projections: byName(projections.filter(({ where }) => !isNextVersion(where))),
    nextProjections: byName(projections.filter(({ where }) => isNextVersion(where))),
  };
}

/** `NAME.next.ts` is the next version of what `NAME.ts` defines. */
const nextSuffix = /\.next$/;

function isNextVersion(file: string): boolean {
  return nextSuffix.test(nameOf(file));
}

function byName(found: readonly Found<Projection>[]): ReadonlyMap<string, Projection> {
  return new Map(found.map(({ actor }) => [actor.name, actor]));
}

function checkNextVersions(projections: readonly Found<Projection>[]): string[] {
  const current = byName(projections.filter(({ where }) => !isNextVersion(where)));
  return projections.flatMap(({ actor: { name, version }, where }) => {
    if (!isNextVersion(where)) return [];
    const main = current.get(name);
    if (main === undefined) return [`projection ${name}: there is a next version, and none before it`];
    if (version > main.version) return [];
    return [`projection ${name}: its next version is ${version}, which is not higher than ${main.version}`];
  });
}

/** An actor, and what to call it where it has a problem. */
interface Found<Actor> {
  readonly actor: Actor;
  readonly where: string;
}

async function findIn<Actor extends Saga | Projection>(
  folder: string,
  kind: Actor["kind"],
  found: Found<Actor>[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const file of filesIn(folder)) {
    const actor = await definedIn<Actor>(file, kind);
    if (typeof actor === "string") problems.push(`${file}: ${actor}`);
    else {
      const isNamed = actor.name === nameOf(file).replace(nextSuffix, "");
      if (!isNamed) problems.push(`${file}: ${misnamed("name", actor.name, file)}`);
      found.push({ actor, where: file });
    }
  }
  return problems;
}

/** The rules of those who follow the log: what they listen to is known when all aggregates are. */
function checkFollowers(
  sagas: readonly Found<Saga>[],
  projections: readonly Found<Projection>[],
  aggregates: ReadonlyMap<string, LoadedAggregate>,
): string[] {
  const known = new Set([...aggregates.values()].flatMap(({ aggregate }) => Object.keys(aggregate.eventSchemas)));
  return [
    ...sagas.flatMap(({ actor, where }) => checked(where, () => checkSaga(actor, known))),
    ...checkSagaNames([...new Set(sagas.map(({ actor }) => actor.name))]),
    ...projections.flatMap(({ actor, where }) => checked(where, () => checkProjection(actor))),
    ...projections.flatMap(({ actor, where }) => checked(where, () => checkListensTo(actor, known))),
  ];
}

/** What is not even built like what it says it is must not hide the problems of the others. */
function checked(where: string, check: () => readonly string[]): string[] {
  let problems: readonly string[];
  try {
    problems = check();
  } catch (error) {
    problems = [`cannot be checked: ${(error as Error).message}`];
  }
  return problems.map((problem) => `${where}: ${problem}`);
}

/** Takes actors that a program has in hand instead of in files. @throws StartRefused like `loadActors`. */
export function takeActors(actors: readonly ActorDefinition[]): LoadedActors {
  const definitions = actors.filter((actor) => actor.kind === "aggregate");
  const sagas = actors.filter((actor) => actor.kind === "saga");
  const projections = actors.filter((actor) => actor.kind === "projection");
  const problems = definitions.flatMap((aggregate) =>
    checkAggregate(aggregate).map((problem) => `${aggregate.category}: ${problem}`),
  );
  const categories = definitions.map(({ category }) => category);
  problems.push(...checkCategories(categories));
  if (new Set(categories).size < categories.length) problems.push("two aggregates have the same category");
  for (const list of [sagas, projections]) {
    const names = list.map(({ name }) => name);
    if (new Set(names).size < names.length) problems.push(`two ${list[0]?.kind}s have the same name`);
  }
  refuseOn(problems);
  const aggregates = new Map(
    definitions.map((aggregate) => [aggregate.category, { aggregate, fingerprint: fingerprintOf(aggregate, "") }]),
  );
  const named = <Actor extends Saga | Projection>(actor: Actor): Found<Actor> => {
    return { actor, where: `${actor.kind} ${actor.name}` };
  };
  refuseOn(checkFollowers(sagas.map(named), projections.map(named), aggregates));
  return {
    aggregates,
    sagas: new Map(sagas.map((saga) => [saga.name, loadedSaga(saga)])),
    projections: new Map(projections.map((projection) => [projection.name, projection])),
    nextProjections: new Map(),
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

function misnamed(what: string, name: string, file: string): string {
  return `${what} ${name} is not the name of the file, ${nameOf(file).replace(nextSuffix, "")}`;
}

/** The default export of a file, made by `define<Kind>`; or what is wrong with it. */
async function definedIn<Actor extends { readonly kind: string }>(
  file: string,
  kind: Actor["kind"],
): Promise<Actor | string> {
  const value = await defaultExport(file);
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || (value as { kind?: unknown }).kind !== kind) {
    const article = /^[aeiou]/.test(kind) ? "an" : "a";
    return `the default export is not ${article} ${kind} made by define${kind[0]?.toUpperCase()}${kind.slice(1)}`;
  }
  return value as Actor;
}

async function loadAggregate(file: string, code: string): Promise<LoadedAggregate | string[]> {
  const aggregate = await definedIn<Aggregate>(file, "aggregate");
  if (typeof aggregate === "string") return [aggregate];
  const isNamed = aggregate.category === nameOf(file);
  const problems = isNamed ? [] : [misnamed("category", aggregate.category, file)];
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
  return createHash("sha256").update(descriptionOf(description)).digest("hex").slice(0, 32);
}

/** A schema as JSON Schema, draft 2020-12, as a writer sees it. */
export function jsonSchema(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
}
