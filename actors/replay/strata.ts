/** How many a sample takes from each stratum. */

/**
 * By the strata in their order; together `count`, or all there are, and never more than a stratum has. Proportional: by
 * largest remainders, the first of equal ones first. Equal: as far as strata last; the first ones get what cannot be divided.
 */
export function stratumSizes(sizes: readonly number[], shares: "proportional" | "equal", count: number): number[] {
  const all = sizes.reduce((sum, size) => sum + size, 0);
  if (count >= all) return [...sizes];
  return shares === "equal" ? equalSizes(sizes, count) : proportionalSizes(sizes, { count, all });
}

/** In integers, which are exact however large the log is. */
function proportionalSizes(
  sizes: readonly number[],
  { count, all }: { readonly count: number; readonly all: number },
): number[] {
  const shares = sizes.map((size) => BigInt(size) * BigInt(count));
  const taken = shares.map((share) => Number(share / BigInt(all)));
  let rest = count - taken.reduce((sum, size) => sum + size, 0);
  const byRemainder = shares
    .map((share, index) => ({ index, remainder: share % BigInt(all) }))
    .sort((a, b) => (a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1));
  for (const { index } of byRemainder) {
    if (rest === 0) break;
    taken[index] = (taken[index] as number) + 1;
    rest -= 1;
  }
  return taken;
}

function equalSizes(sizes: readonly number[], count: number): number[] {
  const taken = sizes.map(() => 0);
  let rest = count;
  while (rest > 0) {
    const open = sizes.flatMap((size, index) => (size > (taken[index] as number) ? [index] : []));
    const each = Math.max(1, Math.floor(rest / open.length));
    for (const index of open) {
      const more = Math.min(each, (sizes[index] as number) - (taken[index] as number), rest);
      taken[index] = (taken[index] as number) + more;
      rest -= more;
    }
  }
  return taken;
}
