/**
 * Templates: under `templates/`, a folder for each kind of thing that `retrace new` makes. They are real code, about a
 * sample item, and checked like all code here; a user gets them with another name put in.
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

/** The files of a kind for a name in kebab-case, sorted by path. */
export function filesFor(kind: string, name: string): ProjectFile[] {
  const folder = join(templates, kind);
  const put = inserting(name);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => ({
      path: put(relative(folder, file).replaceAll("\\", "/")),
      text: put(readFileSync(file, "utf8")),
    }));
}

/** A name in kebab-case as types are written: `AnnotationGuide`. */
export function pascalCase(name: string): string {
  return name.replace(/(^|-)(.)/g, (_, _hyphen, first: string) => first.toUpperCase());
}

/** Puts a name in the place of the sample item's, in each of the ways it is written. */
function inserting(name: string): (text: string) => string {
  const type = pascalCase(name);
  const spellings: Readonly<Record<string, string>> = {
    "sample-item": name,
    "sample item": name.replaceAll("-", " "),
    SampleItem: type,
    sampleItem: type.charAt(0).toLowerCase() + type.slice(1),
  };
  return (text) => text.replace(/sample[- ]item|[sS]ampleItem/g, (spelling) => spellings[spelling] as string);
}
