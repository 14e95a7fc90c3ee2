/**
 * How far voters agree beyond chance: 1 is always, 0 as often as by chance, and it may be less. Undefined where nothing
 * could differ.
 */
import { addItem, alphaOf, noCoincidences, tallyOf } from "./coincidences.ts";
import { countsOf, tableOf, type Vote, type VoteTable } from "./vote-table.ts";

/** Krippendorff's alpha for nominal labels: any number of votes on each item, of which single ones say nothing. */
export function krippendorffAlpha(votes: Iterable<Vote>): number | undefined {
  const table = tableOf(votes);
  return alphaOf(saidOf(table).reduce((row, said) => addItem(row, said), noCoincidences));
}

/** Fleiss' kappa: undefined unless all items have as many votes, at least two. */
export function fleissKappa(votes: Iterable<Vote>): number | undefined {
  const table = tableOf(votes);
  const { items, labels, item } = table;
  const each = item.length / items.length;
  const isEven = saidOf(table).every((said) => said.length === each);
  if (items.length === 0 || !isEven || each < 2) return undefined;
  const counts = countsOf(table);
  const alike = counts.reduce((sum, count) => sum + count * (count - 1), 0) / (item.length * (each - 1));
  const shares = labels.map((_label, at) => table.label.filter((said) => said === at).length / item.length);
  return beyondChance(alike, sumOf(shares.map((share) => share ** 2)));
}

/** Cohen's kappa of two voters, on the items that both voted on. */
export function cohenKappa(votes: Iterable<Vote>, one: string, other: string): number | undefined {
  const [ofOne, ofOther] = [new Map<string, string>(), new Map<string, string>()];
  for (const { item, voter, label } of votes) {
    if (voter === one) ofOne.set(item, label);
    if (voter === other) ofOther.set(item, label);
  }
  const both = [...ofOne].filter(([item]) => ofOther.has(item));
  const said = tallyOf(both.map(([, label]) => label));
  const saidByOther = tallyOf(both.map(([item]) => ofOther.get(item) as string));
  const alike = both.filter(([item, label]) => ofOther.get(item) === label).length / both.length;
  const chances = [...said].map(([label, count]) => (count * (saidByOther.get(label) ?? 0)) / both.length ** 2);
  return both.length === 0 ? undefined : beyondChance(alike, sumOf(chances));
}

/** Cohen's kappa of what somebody says with what is true: how often, or how likely, by true label and said label. */
export function confusionKappa(
  confusion: Readonly<Record<string, Readonly<Record<string, number>>>>,
): number | undefined {
  const truths = new Map<string, number>();
  const said = new Map<string, number>();
  let alike = 0;
  for (const [truth, row] of Object.entries(confusion)) {
    for (const [label, count] of Object.entries(row)) {
      truths.set(truth, (truths.get(truth) ?? 0) + count);
      said.set(label, (said.get(label) ?? 0) + count);
      if (truth === label) alike += count;
    }
  }
  const all = sumOf([...said.values()]);
  const byChance = sumOf([...truths].map(([label, count]) => (count * (said.get(label) ?? 0)) / all ** 2));
  return all > 0 ? beyondChance(alike / all, byChance) : undefined;
}

function beyondChance(alike: number, byChance: number): number | undefined {
  return byChance === 1 ? undefined : (alike - byChance) / (1 - byChance);
}

function saidOf({ items, labels, item, label }: VoteTable): string[][] {
  const said = items.map((): string[] => []);
  item.forEach((at, vote) => {
    said[at]?.push(labels[label[vote] as number] as string);
  });
  return said;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
