/**
 * What the closed reviews of one kind of task tell of its voters, kept in small rows that each review is added to. Plain
 * JSON; nothing here grows with the number of reviews.
 */
import { addItem, alphaOf, type Coincidences, type LabelLimits, noCoincidences } from "./coincidences.ts";
import type { ItemVote, Posterior } from "./posterior.ts";

/** Of a kind of task. */
export interface KindRow {
  /** Reviews, with or without a result. */
  readonly closed: number;
  readonly coincidences: Coincidences;
  /**
   * How many reviews each label is thought to be true of. The first 32 labels that ever came, of up to 256 characters;
   * voters' rows have no others.
   */
  readonly classes: Readonly<Record<string, number>>;
}

/** Of a voter in a kind of task. */
export interface VoterRow {
  /** Votes that are thought to be right, of `total`. */
  readonly agreements: number;
  readonly total: number;
  /** Votes by true label and said label. */
  readonly confusion: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** The rows of a kind of task: of all its voters, or of those who are asked about. */
export interface QualityRows {
  readonly kind: KindRow;
  readonly voters: Readonly<Record<string, VoterRow>>;
}

/** A review that is over. */
export interface ClosedReview {
  readonly votes: readonly ItemVote[];
  /**
   * What is known of the true label: `{[gold]: 1}` where it is known, else the posterior, also that of a dispute: leaving
   * those out would make voters look better than they are. Absent: the review counts for agreement only.
   */
  readonly truth?: Posterior;
}

/** Before the first review. */
export const noReviews: QualityRows = { kind: { closed: 0, coincidences: noCoincidences, classes: {} }, voters: {} };

const newVoter: VoterRow = { agreements: 0, total: 0, confusion: {} };

/** How many labels the rows of a kind of task tell apart. */
export const maxLabels = 32;

/** As long as options may be; what is longer is free text, of which hardly two are the same. */
const limits: LabelLimits = { count: maxLabels, length: 256 };

/** Less is not counted, so that rows hold no more than what voters do now and then. */
const leastProbability = 1e-6;

/** The rows after one more review; of the voters, those that `rows` has and those of the review. */
export function addReview(rows: QualityRows, { votes, truth }: ClosedReview): QualityRows {
  const said = votes.map(({ label }) => label);
  const { closed, coincidences, classes } = rows.kind;
  const kind = { closed: closed + 1, coincidences: addItem(coincidences, said, limits), classes };
  return truth === undefined ? { ...rows, kind } : addTruth({ ...rows, kind }, votes, truth, 1);
}

/** The rows after what was added as the truth of a review has turned out to be another: a dispute was settled. */
export function reviseReview(rows: QualityRows, { votes, truth }: ClosedReview, settled: Posterior): QualityRows {
  const before = truth === undefined ? rows : addTruth(rows, votes, truth, -1);
  return addTruth(before, votes, settled, 1);
}

/** What decides whether results of a kind of task may be accepted; alpha is undefined where nothing could differ. */
export function qualityOf({ closed, coincidences }: KindRow): { closed: number; alpha: number | undefined } {
  return { closed, alpha: alphaOf(coincidences) };
}

function addTruth(rows: QualityRows, votes: readonly ItemVote[], truth: Posterior, times: 1 | -1): QualityRows {
  const classes = new Map(Object.entries(rows.kind.classes));
  for (const label of [...Object.keys(truth), ...votes.map((vote) => vote.label)]) {
    const isKept = classes.size < limits.count && label.length <= limits.length;
    if (isKept && !classes.has(label)) classes.set(label, 0);
  }
  const likely = new Map(Object.entries(truth));
  const known = [...likely].filter(([label]) => classes.has(label));
  for (const [label, probability] of known) classes.set(label, (classes.get(label) as number) + times * probability);
  const voters = new Map(Object.entries(rows.voters));
  for (const { voter, label: said } of votes) {
    const { agreements, total, confusion } = voters.get(voter) ?? newVoter;
    voters.set(voter, {
      agreements: agreements + times * (likely.get(said) ?? 0),
      total: total + times,
      confusion: classes.has(said) ? addSaid(confusion, said, known, times) : confusion,
    });
  }
  return { kind: { ...rows.kind, classes: Object.fromEntries(classes) }, voters: Object.fromEntries(voters) };
}

function addSaid(
  confusion: VoterRow["confusion"],
  said: string,
  truth: readonly (readonly [string, number])[],
  times: 1 | -1,
): VoterRow["confusion"] {
  const rows = new Map(Object.entries(confusion));
  for (const [label, probability] of truth) {
    if (probability < leastProbability) continue;
    const row = new Map(Object.entries(rows.get(label) ?? {}));
    row.set(said, (row.get(said) ?? 0) + times * probability);
    rows.set(label, Object.fromEntries(row));
  }
  return Object.fromEntries(rows);
}
