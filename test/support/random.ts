/** Random choices that can be made again: everything follows from one seed. */

/** A source of random choices. */
export interface Random {
  /** An integer from 0 to `below - 1`. */
  integer(below: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  /** The same items in another order. */
  shuffled<T>(items: readonly T[]): T[];
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
    shuffled: (items) => {
      const order = items.map((item) => ({ item, at: next() })).sort((a, b) => a.at - b.at);
      return order.map(({ item }) => item);
    },
    fork: () => seededRandom(integer(2 ** 32)),
  };
}
