/** What actors of a user's own may be called: nothing that the built-in ones, the project or the runtime has taken. */
import { join } from "node:path";
import { checkCategories } from "../core/check-aggregate.ts";
import { checkSagaNames } from "../core/check-saga.ts";
import { isCategory } from "../core/stream.ts";
import { builtInActors, filesIn, nameOf } from "../runtime/actor-files.ts";
import type { Kind } from "./template.ts";

/** The longest event type of the template, `<Name>Published`, has at most 64 letters and digits. */
const maxLength: Readonly<Record<Kind, number>> = { aggregate: 64 - "Published".length, saga: 64, projection: 64 };

/** Why a name can never do, whatever a project holds: a sentence, or undefined. */
export function wrongName(kind: Kind, name: string): string | undefined {
  if (name.length > maxLength[kind]) return `${name} is too long: at most ${maxLength[kind]} characters`;
  if (!isCategory(name)) return `${name} is not kebab-case, like annotation-guide: a-z and 0-9, parted by hyphens`;
  if (kind === "aggregate" && /^saga(-|$)/.test(name)) return `${name} is a name of the runtime; choose another`;
  const builtIn = namesIn(builtInActors, kind);
  if (builtIn.includes(name)) return `${name} is a built-in ${kind}, which yours would replace; choose another name`;
  return confused(kind, name, builtIn);
}

/** Why a name cannot do in one project. `actors` is its folder of actors, which need not be there. */
export function clashingName(kind: Kind, name: string, actors: string): string | undefined {
  const known = namesIn(actors, kind);
  if (known.includes(name))
    return `the project has ${kind === "aggregate" ? "an" : "a"} ${kind} ${name}; choose another name`;
  return confused(kind, name, known);
}

/** What is defined in a folder of actors. */
export function namesIn(actors: string, kind: Kind): string[] {
  return filesIn(join(actors, `${kind}s`)).map(nameOf);
}

/** Names of streams begin with those of aggregates and of sagas. */
function confused(kind: Kind, name: string, others: readonly string[]): string | undefined {
  const check = { aggregate: checkCategories, saga: checkSagaNames, projection: () => [] }[kind];
  const [clash] = others.flatMap((other) => check([name, other]));
  return clash === undefined ? undefined : `${clash}; choose another name`;
}
