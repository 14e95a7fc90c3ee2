/** Random choices that can be made again: everything follows from one seed. */

/** A source of random choices. */
export interface Random {
  /** An integer from 0 to `below - 1`. */
  integer(below: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  /** One of the choices, as often as its weight says. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T;
  /** Another source, whose choices do not depend on how often this one is asked. */
  fork(): Random;
}

/** Source: the generator mulberry32 by Tommy Ettinger. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (below: number): number => Math.floor(next() * below);
  return {
    integer,
    chance: (probability) => next() < probability,
    weighted: (weights) => pick(Object.entries<number>(weights), next()) as keyof typeof weights,
    fork: () => seededRandom(integer(2 ** 32)),
  };
}

function pick(weights: readonly [name: string, weight: number][], at: number): string {
  let left = at * weights.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of weights) {
    left -= weight;
    if (left < 0) return name;
  }
  throw new Error("there is nothing to choose from");
}
