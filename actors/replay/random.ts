/** Randomness from a seed by integers alone: the same on every machine. */

/** A source of numbers. */
export interface Random {
  /** An integer from 0 (inclusive) to `bound` (exclusive), each as likely as any other; `bound` up to 2^53. */
  below(bound: number): number;
  /** From 0 (inclusive) to 1 (exclusive), a multiple of 2^-53. */
  fraction(): number;
}

const two26 = 2 ** 26;
const two53 = 2 ** 53;

/** The generator sfc32 of PractRand, by Chris Doty-Humphrey, seeded with both halves of an integer up to 2^53. */
export function randomFrom(seed: number): Random {
  let [a, b, c, counter] = [0, seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, 1];
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 15; round++) next();
  const integer = (): number => (next() >>> 5) * two26 + (next() >>> 6);
  return {
    below: (bound) => {
      const most = two53 - (two53 % bound);
      let number = integer();
      while (number >= most) number = integer();
      return number % bound;
    },
    fraction: () => integer() / two53,
  };
}
