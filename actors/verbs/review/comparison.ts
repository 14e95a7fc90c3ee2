/** What one rule sends to people beside what was really sent: counts and overlaps, as a whole and in groups. */

/** One inference, and what became of it. */
export interface Case {
  readonly id: string;
  readonly userSegment: string | null;
  readonly modelId: string | null;
  readonly modelVersion: string | null;
  /** YYYY-MM-DD, in UTC. */
  readonly day: string;
  /** It was flagged, by the rule in force or by a client. */
  readonly isFlagged: boolean;
  /** The other rule matches it. */
  readonly isMatched: boolean;
  /** What the rule would have needed and did not find. */
  readonly missing: readonly string[];
}

/** How many there were, how many of them were flagged, how many the rule matches, and how many are both. */
export interface Counts {
  readonly cases: number;
  readonly flagged: number;
  readonly matched: number;
  readonly both: number;
}

/** The groups are in the order of their names, and null stands for what an inference did not say. */
export interface Comparison {
  readonly all: Counts;
  readonly byUserSegment: readonly (Counts & Pick<Case, "userSegment">)[];
  readonly byModelVersion: readonly (Counts & Pick<Case, "modelId" | "modelVersion">)[];
  readonly byDay: readonly (Counts & Pick<Case, "day">)[];
  /** In how many cases a term of the rule had no value, by what was missing. */
  readonly missing: Readonly<Record<string, number>>;
  /** Ids of the first ten each. */
  readonly examples: { readonly onlyMatched: string[]; readonly onlyFlagged: string[]; readonly both: string[] };
}

const maxExamples = 10;

/** Compares over all cases. What it keeps grows with the groups, not with the cases. */
export async function compare(cases: AsyncIterable<Case>): Promise<Comparison> {
  const all = new Groups(() => ({}));
  const segments = new Groups(({ userSegment }) => ({ userSegment }));
  const versions = new Groups(({ modelId, modelVersion }) => ({ modelId, modelVersion }));
  const days = new Groups(({ day }) => ({ day }));
  const missing = new Map<string, number>();
  const examples = { onlyMatched: [] as string[], onlyFlagged: [] as string[], both: [] as string[] };
  for await (const one of cases) {
    for (const groups of [all, segments, versions, days]) groups.count(one);
    for (const name of one.missing) missing.set(name, (missing.get(name) ?? 0) + 1);
    const kind = exampleKind(one);
    if (kind !== undefined && examples[kind].length < maxExamples) examples[kind].push(one.id);
  }
  return {
    all: all.list()[0] ?? none,
    byUserSegment: segments.list(),
    byModelVersion: versions.list(),
    byDay: days.list(),
    missing: Object.fromEntries([...missing].sort()),
    examples,
  };
}

function exampleKind({ isFlagged, isMatched }: Case): keyof Comparison["examples"] | undefined {
  if (isFlagged && isMatched) return "both";
  if (isMatched) return "onlyMatched";
  return isFlagged ? "onlyFlagged" : undefined;
}

const none: Counts = { cases: 0, flagged: 0, matched: 0, both: 0 };

/** Counts by what `nameOf` says of each case. */
class Groups<Name extends object> {
  readonly #nameOf: (one: Case) => Name;
  readonly #groups = new Map<string, Counts & Name>();

  constructor(nameOf: (one: Case) => Name) {
    this.#nameOf = nameOf;
  }

  count(one: Case): void {
    const name = this.#nameOf(one);
    const key = JSON.stringify(name);
    const { isFlagged, isMatched } = one;
    const before = this.#groups.get(key) ?? none;
    this.#groups.set(key, {
      ...name,
      cases: before.cases + 1,
      flagged: before.flagged + Number(isFlagged),
      matched: before.matched + Number(isMatched),
      both: before.both + Number(isFlagged && isMatched),
    });
  }

  list(): (Counts & Name)[] {
    return [...this.#groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  }
}
