/** The evaluation gate: what a version's metrics have to be, and what they are, in a sentence for each requirement. */
import type { Answer } from "retrace";
import type { Requirement } from "./settings.ts";

/** By name; what is not finite is spelled out. */
export type Metrics = Readonly<Record<string, number | string>>;

/** What the gate says. */
export interface Verdict {
  readonly passed: boolean;
  /** Every finding, also of a gate that has nothing to ask. */
  readonly text: string;
}

/** The version that an alias points to, with its metrics. */
export type Compare = (alias: string) => { readonly version: string; readonly metrics: Metrics } | undefined;

/** Whether other versions have to be looked at. */
export function comparesVersions(gate: readonly Requirement[]): boolean {
  return gate.some(({ betterThanAlias }) => betterThanAlias !== undefined);
}

/** Asks all requirements; a metric that the run has not reported meets none. */
export function evaluateGate(gate: readonly Requirement[], metrics: Metrics, compare: Compare): Verdict {
  if (gate.length === 0) return { passed: true, text: "no evaluation gate is configured" };
  const findings = gate.flatMap((requirement) => findingsOf(requirement, metrics, compare));
  const text = findings.map(({ sentence }) => sentence).join("; ");
  return { passed: findings.every(({ holds }) => holds), text };
}

interface Finding {
  readonly holds: boolean;
  readonly sentence: string;
}

function findingsOf(requirement: Requirement, metrics: Metrics, compare: Compare): Finding[] {
  const { metric, atLeast, atMost, betterThanAlias } = requirement;
  const value = reported(metrics, metric);
  if (value === undefined) return [{ holds: false, sentence: `the run reports no ${metric}` }];
  const bounds = [
    atLeast === undefined ? [] : finding(value >= atLeast, `${metric} ${value}`, `at least ${atLeast}`),
    atMost === undefined ? [] : finding(value <= atMost, `${metric} ${value}`, `at most ${atMost}`),
  ].flat();
  return betterThanAlias === undefined ? bounds : [...bounds, compared(requirement, value, compare(betterThanAlias))];
}

function compared(
  { metric, betterThanAlias, lowerIsBetter = false }: Requirement,
  value: number,
  other: ReturnType<Compare>,
): Finding {
  if (other === undefined) return { holds: true, sentence: `${betterThanAlias} points to no version` };
  const theirs = reported(other.metrics, metric);
  const whose = `${betterThanAlias}, version ${other.version}`;
  if (theirs === undefined) return { holds: true, sentence: `${whose}, reports no ${metric}` };
  const holds = lowerIsBetter ? value < theirs : value > theirs;
  return finding(holds, `${metric} ${value}`, `better than ${theirs} of ${whose}`);
}

function finding(holds: boolean, what: string, bound: string): Finding {
  return { holds, sentence: `${what} is ${holds ? "" : "not "}${bound}` };
}

function reported(metrics: Metrics, name: string): number | undefined {
  return Object.hasOwn(metrics, name) ? Number(metrics[name]) : undefined;
}

/** What is read of a row of `model-catalog`. */
interface CatalogRow {
  /** The version that each alias points to. */
  readonly aliases?: Readonly<Record<string, string>>;
  readonly versions?: Readonly<Record<string, { readonly metrics?: Metrics }>>;
}

/** Compares with what the model catalog answered. */
export function compareIn(answer: Answer): Compare {
  const { aliases = {}, versions = {} } = (answer.rows[0]?.value ?? {}) as CatalogRow;
  return (alias) => {
    const version = Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
    if (version === undefined) return undefined;
    return { version, metrics: (Object.hasOwn(versions, version) ? versions[version]?.metrics : undefined) ?? {} };
  };
}
