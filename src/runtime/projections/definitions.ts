/**
 * The projections that the code at hand defines: of each name one, and where a rollout is under way also its next
 * version, which is kept up beside it until somebody switches.
 */
import type { Projection } from "../../core/projection.ts";
import type { Made } from "./generations.ts";

/** By name. */
export interface ProjectionDefinitions {
  readonly projections: ReadonlyMap<string, Projection>;
  readonly nextProjections?: ReadonlyMap<string, Projection>;
}

/** One name's. */
export interface Versions {
  readonly main: Projection;
  readonly next: Projection | undefined;
}

/** All definitions of a process. */
export class Definitions {
  readonly #versions: ReadonlyMap<string, Versions>;

  constructor({ projections, nextProjections }: ProjectionDefinitions) {
    this.#versions = new Map(
      [...projections].map(([name, main]) => [name, { main, next: nextProjections?.get(name) }]),
    );
  }

  get names(): readonly string[] {
    return [...this.#versions.keys()];
  }

  of(name: string): Versions | undefined {
    return this.#versions.get(name);
  }

  /** The definition by which rows were made; undefined when it is not there, or not any more. */
  makerOf(name: string, made: Made | undefined): Projection | undefined {
    const versions = this.#versions.get(name);
    if (versions === undefined || made === undefined) return undefined;
    return [versions.main, versions.next].find((one) => one?.version === made.version && one.mode === made.mode);
  }
}
