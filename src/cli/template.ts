/**
 * Templates: the folder `templates/` is a small project about a sample item. It is real code, checked like all code
 * here; a user gets the files of what they ask for, with other names put in.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { packageRoot } from "./package.ts";

const templates = join(packageRoot, "src", "cli", "templates");

/** A file of a user's project. */
export interface ProjectFile {
  /** From the project's folder, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** What the templates are about, and what they call it. */
const samples = { aggregate: "sample-item", saga: "sample-saga", projection: "sample-projection" } as const;

/** What there are templates of. */
export type Kind = keyof typeof samples;

/** What a user calls it, in kebab-case. */
export type Names = { readonly [kind in Kind]?: string };

/** The files of a kind, sorted by path. `names` has a name for it, and for whatever else its files speak of. */
export function filesFor(kind: Kind, names: Names): ProjectFile[] {
  const put = inserting(names);
  return templatesOf(kind).map(({ path, text }) => ({ path: put(path), text: put(text) }));
}

/** What the files of a kind use of the schemas of their aggregate, under its name in kebab-case, sorted. */
export function namesUsed(kind: Kind, aggregate: string): string[] {
  const texts = templatesOf(kind).map(({ text }) => text);
  const used = texts.flatMap((text) => text.match(/\w*SampleItem\w*|\bsampleItem\w+/g) ?? []);
  return [...new Set(used.map(inserting({ aggregate })))].sort();
}

/** A name in kebab-case as types are written: `AnnotationGuide`. */
export function pascalCase(name: string): string {
  return name.replace(/(^|-)(.)/g, (_, _hyphen, first: string) => first.toUpperCase());
}

/** They bear the name of what they are about. */
function templatesOf(kind: Kind): ProjectFile[] {
  return readdirSync(templates, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.startsWith(`${samples[kind]}.`))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => ({ path: relative(templates, file).replaceAll("\\", "/"), text: readFileSync(file, "utf8") }));
}

/** Puts names in the place of the samples', in each of the ways they are written. */
function inserting(names: Names): (text: string) => string {
  const spellings = new Map(
    Object.entries(names).flatMap(([kind, name]) => {
      const from = spellingsOf(samples[kind as Kind]);
      const to = spellingsOf(name);
      return from.map((spelling, i): [string, string] => [spelling, to[i] as string]);
    }),
  );
  const sample = new RegExp([...spellings.keys()].join("|"), "g");
  return (text) => text.replace(sample, (spelling) => spellings.get(spelling) as string);
}

function spellingsOf(name: string): string[] {
  const type = pascalCase(name);
  return [name, name.replaceAll("-", " "), type, type.charAt(0).toLowerCase() + type.slice(1)];
}
