/**
 * How often votes on the same item were alike and might have been: all that Krippendorff's alpha needs, kept as a small
 * row that each item is added to.
 */

/** Plain JSON. Of each item with m votes, m of at least 2, each ordered pair of votes counts 1 / (m - 1). */
export interface Coincidences {
  /** All pairs: as many as there are votes on items with at least two. */
  readonly pairs: number;
  /** Pairs of the same label. */
  readonly alike: number;
  /** Votes by label, on items with at least two votes. */
  readonly labels: Readonly<Record<string, number>>;
}

/** Before the first item. */
export const noCoincidences: Coincidences = { pairs: 0, alike: 0, labels: {} };

/** Which labels a row tells apart. */
export interface LabelLimits {
  /** The first that ever came. */
  readonly count: number;
  /** Characters of each. */
  readonly length: number;
}

const noLimits: LabelLimits = { count: Number.POSITIVE_INFINITY, length: Number.POSITIVE_INFINITY };

/**
 * Adds the labels that were said of one item. Those beyond the limits are not told apart by the row, which makes alpha a
 * little higher than it is: they are rare, or there would not be as many.
 */
export function addItem(row: Coincidences, said: readonly string[], limits = noLimits): Coincidences {
  if (said.length < 2) return row;
  const counts = tallyOf(said);
  let { alike } = row;
  const labels = new Map(Object.entries(row.labels));
  for (const [label, count] of counts) {
    alike += (count * (count - 1)) / (said.length - 1);
    const isKept = labels.has(label) || (labels.size < limits.count && label.length <= limits.length);
    if (isKept) labels.set(label, (labels.get(label) ?? 0) + count);
  }
  return { pairs: row.pairs + said.length, alike, labels: Object.fromEntries(labels) };
}

/**
 * Krippendorff's alpha: 1 when votes on the same item are always alike, 0 when as often as by chance. Undefined where
 * nothing could differ: without an item that has two votes, or with one label alone.
 */
export function alphaOf({ pairs, alike, labels }: Coincidences): number | undefined {
  const sameByChance = Object.values(labels).reduce((sum, count) => sum + count ** 2, 0);
  const unlikeByChance = pairs ** 2 - sameByChance;
  return unlikeByChance === 0 ? undefined : 1 - ((pairs - 1) * (pairs - alike)) / unlikeByChance;
}

/** Fleiss' kappa, of items that all have as many votes, at least two. Undefined where nothing could differ. */
export function fleissOf({ pairs, alike, labels }: Coincidences): number | undefined {
  const byChance = Object.values(labels).reduce((sum, count) => sum + (count / pairs) ** 2, 0);
  return pairs === 0 || byChance === 1 ? undefined : (alike / pairs - byChance) / (1 - byChance);
}

/** How often each occurs. */
export function tallyOf(values: Iterable<string>): Map<string, number> {
  const tally = new Map<string, number>();
  for (const value of values) tally.set(value, (tally.get(value) ?? 0) + 1);
  return tally;
}
