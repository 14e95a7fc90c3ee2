/** Merging ascending lists of numbers into one, each number once. */

/** Lazily, for a handful of sources: positions under several index keys. Left early, it ends the sources, too. */
export function* mergeAscending(sources: readonly Iterable<number>[]): Iterable<number> {
  const iterators = sources.map((source) => source[Symbol.iterator]());
  try {
    const heads = iterators.map((iterator) => valueOrEnd(iterator));
    while (true) {
      const least = Math.min(...heads);
      if (least === Number.POSITIVE_INFINITY) return;
      yield least;
      for (const [i, head] of heads.entries()) {
        if (head === least) heads[i] = valueOrEnd(iterators[i] as Iterator<number>);
      }
    }
  } finally {
    // A cursor of the store that is not ended keeps its reader, of which there are few, until it is collected.
    for (const iterator of iterators) iterator.return?.();
  }
}

function valueOrEnd(iterator: Iterator<number>): number {
  const { done, value } = iterator.next();
  return done === true ? Number.POSITIVE_INFINITY : value;
}
