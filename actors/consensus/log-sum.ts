/** Probabilities from logarithms that are too small to be exponentiated as they are. */

/** Smaller probabilities count as this, so that a single impossible vote cannot outweigh all others for ever. */
const smallest = 1e-9;

/** The logarithm of a probability. */
export function logOf(probability: number): number {
  return Math.log(Math.max(probability, smallest));
}

/** The logarithm of the sum of what `logs` are the logarithms of. */
export function logSumOf(logs: Float64Array): number {
  const largest = logs.reduce((a, b) => Math.max(a, b));
  return largest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - largest), 0));
}
