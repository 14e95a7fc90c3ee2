/** Nominal votes on many items, numbered so that fits and coefficients run over arrays. */

/** What one voter said of one item. */
export interface Vote {
  readonly item: string;
  readonly voter: string;
  readonly label: string;
}

/** Votes by number: the i-th is `labels[label[i]]`, said by `voters[voter[i]]` of `items[item[i]]`. */
export interface VoteTable {
  /** As they first come. */
  readonly items: readonly string[];
  /** As they first come. */
  readonly voters: readonly string[];
  /** Sorted. */
  readonly labels: readonly string[];
  readonly item: Int32Array;
  readonly voter: Int32Array;
  readonly label: Int32Array;
}

/** Numbers the votes. Where a voter votes on an item again, the last vote counts. */
export function tableOf(votes: Iterable<Vote>): VoteTable {
  const byItem = new Map<string, Map<string, string>>();
  for (const { item, voter, label } of votes) {
    const ofItem = byItem.get(item) ?? new Map<string, string>();
    byItem.set(item, ofItem.set(voter, label));
  }
  const counted = [...byItem].flatMap(([item, ofItem]) =>
    [...ofItem].map(([voter, label]): Vote => ({ item, voter, label })),
  );
  const items = [...byItem.keys()];
  const voters = [...new Set(counted.map(({ voter }) => voter))];
  const labels = [...new Set(counted.map(({ label }) => label))].sort();
  const numbers = (names: readonly string[], of: (vote: Vote) => string): Int32Array => {
    const numberOf = new Map(names.map((name, number) => [name, number]));
    return Int32Array.from(counted, (vote) => numberOf.get(of(vote)) as number);
  };
  return {
    items,
    voters,
    labels,
    item: numbers(items, ({ item }) => item),
    voter: numbers(voters, ({ voter }) => voter),
    label: numbers(labels, ({ label }) => label),
  };
}

/** How often each label was said of each item: items x labels, row by row. */
export function countsOf({ items, labels, item, label }: VoteTable): Float64Array {
  const counts = new Float64Array(items.length * labels.length);
  item.forEach((at, vote) => {
    counts[at * labels.length + (label[vote] as number)]! += 1;
  });
  return counts;
}
