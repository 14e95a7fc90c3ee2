/** How sure a model was, from the scores that it gave its labels: the measures of uncertainty sampling. */

/** The numbers among the scores, which are a list or an object by label. */
function numbersIn(scores: unknown): number[] {
  if (typeof scores !== "object" || scores === null) return [];
  return Object.values(scores).filter((score) => typeof score === "number" && Number.isFinite(score));
}

/** The highest score less the second; undefined for fewer than two. */
export function marginOf(scores: unknown): number | undefined {
  const [first, second] = numbersIn(scores).sort((a, b) => b - a);
  return first === undefined || second === undefined ? undefined : first - second;
}

/**
 * The entropy of the scores as shares of their sum, over that of as many alike: from 0 to 1. Undefined for fewer than
 * two, and for what can be no shares: a negative one, or a sum of 0.
 */
export function entropyOf(scores: unknown): number | undefined {
  const numbers = numbersIn(scores);
  const sum = numbers.reduce((total, score) => total + score, 0);
  if (numbers.length < 2 || sum <= 0 || !Number.isFinite(sum) || numbers.some((score) => score < 0)) return undefined;
  const shares = numbers.map((score) => score / sum).filter((share) => share > 0);
  const entropy = shares.reduce((total, share) => total - share * Math.log(share), 0);
  return Math.min(1, Math.max(0, entropy / Math.log(numbers.length)));
}
