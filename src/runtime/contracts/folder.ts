/** A folder of contracts: a file for each command, one for each version of each event, the AsyncAPI document, and an index. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { asyncApi } from "./asyncapi.ts";
import type { CategoryContract, Contracts } from "./compatibility.ts";
import { commandFile, eventFile } from "./contracts.ts";
import { fileText, isObject, type JsonSchema } from "./json-schema.ts";

const indexFile = "index.json";

const typeName = z.string().regex(/^[A-Z][A-Za-z0-9]{0,63}$/);

/** Which contracts held when the folder was written: files of older versions, and of events that are gone, lie there, too. */
const index = z.looseObject({
  format: z.literal(1),
  categories: z.record(
    z.string().regex(/^[a-z0-9-]{1,64}$/),
    z.looseObject({
      commands: z.array(typeName),
      /** The version that is written. */
      events: z.record(typeName, z.int().min(1)),
    }),
  ),
});

type Index = z.output<typeof index>;

/** What writing changed, by the paths of the files, in order. */
export interface WrittenContracts {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  /** Files of commands that are gone; those of events stay, because the log may hold them. */
  readonly removed: readonly string[];
  readonly unchanged: number;
}

/** The contracts that a folder held when it was last written, or a sentence that says why they cannot be read. */
export function readContracts(folder: string): Contracts | string {
  const found = readIndex(folder);
  if (found === undefined) return `${folder} holds no contracts: write them with retrace contracts --out ${folder}`;
  if (typeof found === "string") return found;
  const problems: string[] = [];
  const read = (path: string): JsonSchema => {
    const schema = readJson(join(folder, path));
    if (isObject(schema)) return schema;
    problems.push(typeof schema === "string" ? schema : `${join(folder, path)} is missing`);
    return {};
  };
  const contracts = Object.fromEntries(
    Object.entries(found.categories).map(([category, { commands, events }]): [string, CategoryContract] => [
      category,
      {
        commands: Object.fromEntries(commands.map((type) => [type, read(commandFile(category, type))])),
        events: Object.fromEntries(
          Object.entries(events).map(([type, version]) => [
            type,
            { version, schema: read(eventFile(category, type, version)) },
          ]),
        ),
      },
    ]),
  );
  return problems[0] ?? contracts;
}

/**
 * Brings a folder, which is made when it is missing, to these contracts. Files of other versions of an event stay as they
 * are, and what is the same is not written. Returns a sentence when the folder holds something else.
 */
export function writeContracts(
  folder: string,
  { contracts, prefix }: { readonly contracts: Contracts; readonly prefix: string },
): WrittenContracts | string {
  const before = readIndex(folder);
  if (typeof before === "string") return before;
  const document = join(folder, "asyncapi.json");
  if (before === undefined && existsSync(document))
    return `${document} is not from retrace contracts: name another folder`;
  const known = knownVersions(folder, contracts);
  if (typeof known === "string") return known;
  const versionsOf = (category: string, type: string) => known.get(`${category}/${type}`) ?? new Map();
  const files = new Map<string, unknown>([
    [indexFile, indexOf(contracts)],
    ["asyncapi.json", asyncApi({ contracts, versionsOf, prefix })],
    ...schemaFiles(contracts),
  ]);
  const removed = goneCommands(before, contracts).filter((path) => existsSync(join(folder, path)));
  for (const path of removed) rmSync(join(folder, path));
  const outcomes = [...files].map(([path, value]) => [path, writeFile(join(folder, path), fileText(value))] as const);
  const those = (outcome: string) =>
    outcomes
      .filter(([, one]) => one === outcome)
      .map(([path]) => path)
      .sort();
  return { added: those("added"), changed: those("changed"), removed, unchanged: those("unchanged").length };
}

function readIndex(folder: string): Index | string | undefined {
  const file = join(folder, indexFile);
  const found = readJson(file);
  if (found === undefined || typeof found === "string") return found;
  const parsed = index.safeParse(found);
  return parsed.success ? parsed.data : `${file} is no index of contracts: ${parsed.error.issues[0]?.message}`;
}

/** Undefined when there is no such file, a sentence when it holds no JSON. */
function readJson(file: string): unknown {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8");
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    return `${file} is not JSON: ${(error as Error).message}`;
  }
}

function schemaFiles(contracts: Contracts): [string, JsonSchema][] {
  return Object.entries(contracts).flatMap(([category, { commands, events }]) => [
    ...Object.entries(commands).map(([type, schema]): [string, JsonSchema] => [commandFile(category, type), schema]),
    ...Object.entries(events).map(([type, { version, schema }]): [string, JsonSchema] => [
      eventFile(category, type, version),
      schema,
    ]),
  ]);
}

function indexOf(contracts: Contracts): Index {
  const categories = Object.entries(contracts).map(([category, { commands, events }]) => {
    const versions = Object.entries(events).map(([type, { version }]) => [type, version]);
    return [category, { commands: Object.keys(commands).sort(), events: Object.fromEntries(versions) }];
  });
  return { format: 1, categories: Object.fromEntries(categories) };
}

/** By `<category>/<Type>`, the versions of each event: the one at hand, and those of which the folder has a file. */
function knownVersions(folder: string, contracts: Contracts): Map<string, Map<number, JsonSchema>> | string {
  const known = new Map<string, Map<number, JsonSchema>>();
  for (const [category, { events }] of Object.entries(contracts)) {
    const inFolder = join(folder, "events", category);
    const names = existsSync(inFolder) ? readdirSync(inFolder) : [];
    for (const [type, { version, schema }] of Object.entries(events)) {
      const versions = new Map([[version, schema]]);
      for (const other of names.flatMap((name) => versionOf(name, type))) {
        if (other === version) continue;
        const file = join(folder, eventFile(category, type, other));
        const stored = readJson(file);
        if (!isObject(stored)) return typeof stored === "string" ? stored : `${file} is no JSON Schema`;
        versions.set(other, stored);
      }
      known.set(`${category}/${type}`, versions);
    }
  }
  return known;
}

function versionOf(name: string, type: string): number[] {
  const version = Number(/\.v([1-9][0-9]{0,8})\.json$/.exec(name)?.[1]);
  return name === `${type}.v${version}.json` ? [version] : [];
}

function goneCommands(before: Index | undefined, contracts: Contracts): string[] {
  return Object.entries(before?.categories ?? {})
    .flatMap(([category, { commands }]) => {
      const present = Object.hasOwn(contracts, category) ? (contracts[category] as CategoryContract).commands : {};
      return commands.filter((type) => !Object.hasOwn(present, type)).map((type) => commandFile(category, type));
    })
    .sort();
}

function writeFile(file: string, text: string): "added" | "changed" | "unchanged" {
  const isThere = existsSync(file);
  if (isThere && readFileSync(file, "utf8") === text) return "unchanged";
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return isThere ? "changed" : "added";
}
