/** The verbs that speak of the domain: found in the actors folders, offered beside the runtime's own. */
import { join } from "node:path";
import { defaultExport, filesIn, nameOf } from "../runtime/actor-files.ts";
import type { Verb } from "./verb.ts";

/** Loads the verbs of several folders, or those of one name. A broken file is told to `onProblem`, and the others still load. */
export async function loadVerbs(
  folders: readonly string[],
  onProblem: (problem: string) => void,
  name?: string,
): Promise<Verb[]> {
  const verbs: Verb[] = [];
  for (const file of folders.flatMap((folder) => filesIn(join(folder, "verbs")))) {
    if (name !== undefined && nameOf(file) !== name) continue;
    const verb = await defaultExport(file);
    if (isVerb(verb) && verb.name === nameOf(file)) verbs.push(verb);
    else onProblem(`${file}: ${typeof verb === "string" ? verb : "does not export a verb named like the file"}`);
  }
  return verbs;
}

function isVerb(value: unknown): value is Verb {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "verb";
}
