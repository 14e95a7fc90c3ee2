/**
 * Which changes of the contracts break whom. Those who read events have to understand what is written from now on and what
 * the log holds already; those who send commands have to be understood as before.
 */
import { type Difference, differences } from "./difference.ts";
import type { JsonSchema } from "./json-schema.ts";

/** What one aggregate takes and emits. */
export interface CategoryContract {
  readonly commands: Readonly<Record<string, JsonSchema>>;
  /** At the version that is written. */
  readonly events: Readonly<Record<string, EventContract>>;
}

/** An event as it is written. */
export interface EventContract {
  readonly version: number;
  readonly schema: JsonSchema;
}

/** What everything takes and emits, by category. */
export type Contracts = Readonly<Record<string, CategoryContract>>;

/** One change from earlier contracts to later ones. */
export interface ContractChange {
  /** `commands/<category>/<Type>` or `events/<category>/<Type>`. */
  readonly contract: string;
  /** Of the field in it; empty for the whole. */
  readonly path: string;
  /** `unversioned`: an event changed as only a new version of it may; `version-gone`: one that the code no longer reads. */
  readonly kind:
    | Difference["kind"]
    | "command-added"
    | "command-removed"
    | "event-added"
    | "event-removed"
    | "unversioned"
    | "version-gone";
  /** `check`: hurts only who relies on more than the contract promises. */
  readonly verdict: "breaks" | "check" | "compatible";
  /** Of events, of commands; `log`: the runtime itself, on what is stored. */
  readonly whom: "readers" | "writers" | "log";
  /** In words, without contract and path. */
  readonly what: string;
}

/** All changes, in the order of contract and path. */
export function compareContracts(before: Contracts, after: Contracts): ContractChange[] {
  const changes = namesIn(before, after).flatMap((category) => {
    const [b, a] = [own(before, category) ?? empty, own(after, category) ?? empty];
    return [
      ...namesIn(b.commands, a.commands).flatMap((type) =>
        commandChanges(`commands/${category}/${type}`, own(b.commands, type), own(a.commands, type)),
      ),
      ...namesIn(b.events, a.events).flatMap((type) =>
        eventChanges(`events/${category}/${type}`, own(b.events, type), own(a.events, type)),
      ),
    ];
  });
  return changes.sort((one, other) => order(one.contract, other.contract) || order(one.path, other.path));
}

const empty: CategoryContract = { commands: {}, events: {} };

function own<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function namesIn(...records: readonly Readonly<Record<string, unknown>>[]): string[] {
  return [...new Set(records.flatMap(Object.keys))];
}

function order(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function commandChanges(contract: string, before?: JsonSchema, after?: JsonSchema): ContractChange[] {
  const about = { contract, path: "", whom: "writers" } as const;
  if (before === undefined) return [{ ...about, kind: "command-added", verdict: "compatible", what: "new command" }];
  if (after === undefined) return [{ ...about, kind: "command-removed", verdict: "breaks", what: "command removed" }];
  return differences(before, after).map(({ effect, ...change }) => ({
    ...about,
    ...change,
    verdict: forWriters(change.kind, effect),
  }));
}

/** What was sent before has to be taken still. */
function forWriters(kind: Difference["kind"], effect: Difference["effect"]): ContractChange["verdict"] {
  if (kind === "default") return "check";
  if (effect === "wider" || effect === "none") return "compatible";
  // Where any name was free before, only a writer who had used this one already could notice.
  return kind === "field-added" ? "check" : "breaks";
}

function eventChanges(contract: string, before?: EventContract, after?: EventContract): ContractChange[] {
  const about = { contract, path: "", whom: "readers" } as const;
  if (before === undefined) return [{ ...about, kind: "event-added", verdict: "compatible", what: "new event" }];
  if (after === undefined) return [{ ...about, kind: "event-removed", verdict: "breaks", what: "event removed" }];
  const isNewVersion = after.version > before.version;
  const changes = differences(before.schema, after.schema).map(({ effect, ...change }) => ({
    ...about,
    ...change,
    verdict: forReaders(change.kind, effect, isNewVersion),
  }));
  return [...versionChanges(contract, before, after, changes), ...changes];
}

/**
 * Who reads by the earlier contract has to understand what is written now; who reads by the later one has to understand
 * what was stored under the same version. A field more is neither's trouble: readers ignore what they do not know, and
 * those who do not, because the object had no room for it, can see that in the contract.
 */
function forReaders(
  kind: Difference["kind"],
  effect: Difference["effect"],
  isNewVersion: boolean,
): ContractChange["verdict"] {
  const isAddition = kind === "field-added" || (kind === "required-field-added" && isNewVersion);
  if (effect === "none") return "compatible";
  if (effect === "narrower") return isNewVersion || isAddition ? "compatible" : "breaks";
  if (isAddition) return "check";
  return effect === "wider" && (kind === "values" || kind === "bound") ? "check" : "breaks";
}

function versionChanges(
  contract: string,
  before: EventContract,
  after: EventContract,
  changes: readonly ContractChange[],
): ContractChange[] {
  const about = { contract, path: "", verdict: "breaks" } as const;
  if (after.version < before.version) {
    const what = `version ${before.version} is gone: stored events of it can no longer be read`;
    return [{ ...about, kind: "version-gone", whom: "log", what }];
  }
  if (after.version > before.version || !changes.some(({ verdict }) => verdict === "breaks")) return [];
  const { version } = after;
  const what = `changed without a new version: make it version ${version + 1}, with an upcaster from version ${version}`;
  return [{ ...about, kind: "unversioned", whom: "readers", what }];
}
