/** What is to be built of a projection: decided in one transaction, from what the code defines and the store has. */
import type { Transaction } from "../../core/event-store.ts";
import type { Projection } from "../../core/projection.ts";
import type { Definitions, Versions } from "./definitions.ts";
import {
  type BuildingGeneration,
  type CompleteGeneration,
  type Generations,
  readGenerations,
  writeGenerations,
} from "./generations.ts";

/** A build that was begun or taken over, and by which definition its rows are made. */
export interface TakenBuild {
  readonly projection: Projection;
  readonly building: BuildingGeneration;
}

/** How to take. */
export interface TakeOptions {
  /** The id of whoever builds. */
  readonly builder: string;
  /** Only what somebody has begun and nobody builds yet: nothing is begun, and nothing taken over. */
  readonly onlyBegun: boolean;
}

/**
 * Takes over a half-done build of a version that is defined, or begins what is missing: the live generation first, then
 * one of the next version beside it. Undefined when there is nothing to do. What no definition can go on with is given
 * up, and left to be removed.
 */
export function takeBuild(
  tx: Transaction,
  definitions: Definitions,
  name: string,
  { builder, onlyBegun }: TakeOptions,
): TakenBuild | undefined {
  const versions = definitions.of(name) as Versions;
  const before = readGenerations(tx, name) ?? { last: 0 };
  const { building, standby, ...rest } = before;
  const isBegun = definitions.makerOf(name, building) !== undefined;
  if (onlyBegun && !(isBegun && building?.builder === nobody)) return undefined;
  const isKept = isKeptUp(definitions, name, standby);
  const kept: Generations = { ...rest, ...(isKept && { standby }), ...(isBegun && { building }) };
  const taken = kept.building ?? missing(definitions, name, { versions, kept });
  if (taken !== undefined) {
    const last = Math.max(kept.last, taken.generation);
    const built = { ...taken, builder };
    writeGenerations(tx, name, { ...kept, building: built, last }, builder);
    return { projection: definitions.makerOf(name, built) as Projection, building: built };
  }
  if (kept.standby !== standby || kept.building !== building) writeGenerations(tx, name, kept, builder);
  return undefined;
}

const nobody = "";

/** A build from the start, for whoever takes it. */
export function begun({ version, mode }: Projection, last: number, isHeld: boolean): BuildingGeneration {
  return { generation: last + 1, version, mode, position: 0, builder: nobody, isHeld };
}

function missing(
  definitions: Definitions,
  name: string,
  { versions: { main, next }, kept }: { readonly versions: Versions; readonly kept: Generations },
): BuildingGeneration | undefined {
  const { live, standby, last } = kept;
  if (!isKeptUp(definitions, name, live)) return begun(main, last, false);
  if (next === undefined) return undefined;
  const isThere = [live, standby].some((made) => definitions.makerOf(name, made) === next);
  return isThere ? undefined : begun(next, last, true);
}

/** Whether its rows are what a definition makes, none missing. */
export function isKeptUp(definitions: Definitions, name: string, made: CompleteGeneration | undefined): boolean {
  return made !== undefined && made.frozenAt === undefined && definitions.makerOf(name, made) !== undefined;
}
