/** What runs were made of, beside one another: inputs, code, settings, surroundings. Pure. */
import type { RunRecord } from "./read-run.ts";

/** What is compared under one name. */
export type AspectName = "inputs" | "code" | "config" | "hyperparameters" | "seed" | "environment";

/** One thing that is not the same in all runs. */
export interface Difference {
  /** Dotted, where it is inside something: `optimizer.beta`. */
  readonly field: string;
  /** What each run has there, in the order of the runs; null where it has nothing. */
  readonly values: readonly unknown[];
}

/** Whether the runs have the same of something. */
export interface Aspect {
  readonly name: AspectName;
  /** `not recorded`: no run says anything, so it proves nothing. */
  readonly verdict: "same" | "differs" | "not recorded";
  readonly differences: readonly Difference[];
}

const fieldsOf: Readonly<Record<AspectName, readonly string[]>> = {
  inputs: ["datasetId", "datasetVersion", "datasetPosition", "featureSetId", "featureVersion"],
  code: ["codeVersion"],
  config: ["config"],
  hyperparameters: ["hyperparameters"],
  seed: ["seed"],
  environment: ["environment"],
};

/** When a run was made is not what it was made in. Importers of logs write it there. */
const times: ReadonlySet<string> = new Set(["environment.startedAt"]);

/** One aspect after the other, always all of them. */
export function compareRecipes(runs: readonly Pick<RunRecord, "recipe">[]): Aspect[] {
  return Object.entries(fieldsOf).map(([name, fields]) => {
    const leaves = runs.map(({ recipe }) => leavesOf(recipe, fields));
    const paths = [...new Set(leaves.flatMap((leaf) => [...leaf.keys()]))].sort();
    const differences = paths
      .map((path) => ({ path, values: leaves.map((leaf) => leaf.get(path) ?? null) }))
      .filter(({ values }) => values.some((value) => JSON.stringify(value) !== JSON.stringify(values[0])))
      .map(({ path, values }) => ({ field: path.replace(/^(config|hyperparameters|environment)\./, ""), values }));
    const verdict = paths.length === 0 ? "not recorded" : differences.length === 0 ? "same" : "differs";
    return { name: name as AspectName, verdict, differences };
  });
}

/** What is not an object, by its path. An empty object or list says as much as none. */
function leavesOf(recipe: Readonly<Record<string, unknown>>, fields: readonly string[]): Map<string, unknown> {
  const leaves = new Map<string, unknown>();
  const visit = (path: string, value: unknown): void => {
    if (value === undefined || value === null || times.has(path)) return;
    if (Array.isArray(value) && value.length === 0) return;
    if (typeof value !== "object" || Array.isArray(value)) leaves.set(path, value);
    else for (const [key, inner] of Object.entries(value)) visit(`${path}.${key}`, inner);
  };
  for (const field of fields) visit(field, recipe[field]);
  return leaves;
}
