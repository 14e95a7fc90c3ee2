/**
 * Powers that are the same to the last bit on every machine. The language leaves `Math.pow`, `exp` and `log` to each engine;
 * sums, products and quotients of doubles it does not, and these are made of nothing else.
 */

/** `base` from 0, `exponent` from -1 to 1; to 12 digits. 0 to the power of 0 is 1. */
export function power(base: number, exponent: number): number {
  if (exponent === 0 || base === 1) return 1;
  if (exponent === 1 || base === 0) return base;
  return exponential(exponent * logarithm(base));
}

/** Natural, of a number above 0. */
function logarithm(number: number): number {
  let mantissa = number;
  let exponent = 0;
  for (; mantissa > 1.5; exponent++) mantissa /= 2;
  for (; mantissa < 0.75; exponent--) mantissa *= 2;
  // 2 artanh(z) = ln((1 + z) / (1 - z)), with z up to 0.2.
  const z = (mantissa - 1) / (mantissa + 1);
  let sum = 0;
  for (let term = 27; term >= 1; term -= 2) sum = sum * z * z + 1 / term;
  return exponent * Math.LN2 + 2 * z * sum;
}

function exponential(number: number): number {
  const doublings = Math.floor(number / Math.LN2 + 0.5);
  const rest = number - doublings * Math.LN2;
  let result = 1;
  for (let term = 18; term >= 1; term--) result = 1 + (result * rest) / term;
  for (let i = 0; i < doublings; i++) result *= 2;
  for (let i = 0; i > doublings; i--) result /= 2;
  return result;
}
