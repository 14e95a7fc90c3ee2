/** Labels of crowds, counted vote by vote, and what others computed of them. */
import assert from "node:assert/strict";
import type { Fields } from "../fan-in.ts";
import { assertClose, assertSameNames, type Check, groupBy, rowsOf } from "./counting.ts";
import { filesOf, type Import, importedAt, isThere, tableIn, textOf } from "./files.ts";

/** An item with its votes, and what most say of it. */
export interface Item {
  readonly set: string;
  readonly item: string;
  /** In the order of the file. */
  readonly votes: readonly { readonly worker: string; readonly label: string }[];
  /** Undefined where as many say something else. */
  readonly label: string | undefined;
  readonly gold: string | undefined;
}

/** What a crowd was asked. */
interface Crowd {
  readonly set: string;
  readonly items: readonly Item[];
  /** All that anybody said, sorted. */
  readonly labels: readonly string[];
}

/** The sets. */
function crowdsIn(imports: readonly Import[]): Crowd[] {
  return filesOf(imports, "crowd-labels").map((file) => {
    const items = itemsIn(file);
    const labels = new Set(items.flatMap(({ votes }) => votes.map(({ label }) => label)));
    return { set: setOf(file), items, labels: [...labels].sort() };
  });
}

/** The items of all sets. */
export function crowdItemsIn(imports: readonly Import[]): Item[] {
  return filesOf(imports, "crowd-labels").flatMap(itemsIn);
}

function setOf(file: string): string {
  return file.replace(/^.*\/|\.labels\.tsv$/g, "");
}

function itemsIn(file: string): Item[] {
  const set = setOf(file);
  const goldFile = file.replace(".labels.", ".gold.");
  const gold = new Map(isThere(goldFile) ? tableIn(goldFile).map(({ item = "", gold }) => [item, gold]) : []);
  const votes = tableIn(file).map(({ worker = "", item = "", label = "" }) => ({ worker, item, label }));
  return [...groupBy(votes, ({ item }) => item)].map(([item, of]) => {
    return { set, item, votes: of, label: mostSaid(of.map(({ label }) => label)), gold: gold.get(item) };
  });
}

function mostSaid(labels: readonly string[]): string | undefined {
  const [first, second] = [...groupBy(labels, (label) => label)].sort(([, a], [, b]) => b.length - a.length);
  return first?.[1].length === second?.[1].length ? undefined : first?.[0];
}

/** Every review decided as most say, or disputed; every voter with their votes. */
export const reviewQueue: Check = (fanIn) => {
  const rows = rowsOf(fanIn, "review-queue");
  const items = crowdItemsIn(fanIn.imports);
  const labelsOf = new Map(crowdsIn(fanIn.imports).map(({ set, labels }) => [set, labels]));
  const workers = groupBy(
    items.flatMap(({ votes }) => votes),
    ({ worker }) => worker,
  );
  const bySubject = new Map<string, [string, Fields]>();
  for (const [key, row] of rows) {
    if (row.subject !== undefined) bySubject.set(String((row.subject as Fields).id), [key, row]);
  }
  assert.equal(rows.size, items.length + workers.size);
  for (const { set, item, votes, label } of items) {
    const [key, row] = bySubject.get(`${set}/${item}`) as [string, Fields];
    const { status, taskKind, subject, options, k, votes: cast, votedBy, leases, requestedAt } = row;
    assert.equal(key.startsWith("decided/"), label !== undefined, key);
    assert.deepEqual([key, status, row.label], [key, label === undefined ? "disputed" : "consensus", label]);
    assert.deepEqual([taskKind, subject], [set, { category: "item", id: `${set}/${item}` }], key);
    assert.deepEqual(
      [k, cast, votedBy, leases],
      [votes.length, votes.length, votes.map(({ worker }) => worker), []],
      key,
    );
    assert.deepEqual(options, labelsOf.get(set), key);
    assert.deepEqual([requestedAt, row.level, row.priority], [importedAt, 0, 0], key);
  }
  for (const [worker, votes] of workers) {
    const load = { isRegistered: false, skills: [], openLeases: 0, assigned: 0, done: votes.length };
    assert.deepEqual(rows.get(`visitor/${worker}`), load, worker);
  }
};

interface Reference {
  readonly krippendorff_alpha_nominal: number;
  readonly fleiss_kappa: number | null;
}

/** As far as the references are given. */
const referenceWithin = 5e-5;

/** Agreement as others computed it, and every voter as often with the others, and as often right, as the tables say. */
export const reviewerQuality: Check = (fanIn) => {
  const rows = rowsOf(fanIn, "reviewer-quality");
  const sets = crowdsIn(fanIn.imports);
  const { results } = JSON.parse(textOf("reference_results.json")) as { readonly results: Record<string, Reference> };
  const expected = new Set<string>();
  for (const { set, items, labels } of sets) {
    const row = rows.get(`kind/${set}`) as Fields;
    expected.add(`kind/${set}`);
    const { krippendorff_alpha_nominal: alpha, fleiss_kappa: kappa } = results[set] as Reference;
    assertClose(row.alpha, alpha, `alpha of ${set}`, referenceWithin);
    if (kappa === null) assert.equal(row.kappa, undefined, set);
    else assertClose(row.kappa, kappa, `kappa of ${set}`, referenceWithin);
    assert.deepEqual(
      [row.closed, row.consensus],
      [items.length, items.filter(({ label }) => label !== undefined).length],
      set,
    );
    const sizes = new Set(items.map(({ votes }) => votes.length));
    assert.equal(row.votesEach, sizes.size === 1 ? [...sizes][0] : undefined, set);
    for (const label of labels) {
      const truth = items.reduce((sum, item) => sum + shareOf(item, label), 0);
      assertClose((row.classes as Fields)[label], truth, `${label} in ${set}`);
    }
    for (const [worker, cases] of casesOf(items)) {
      expected.add(`voter/${set}/${worker}`);
      const voter = rows.get(`voter/${set}/${worker}`) as Fields;
      assert.deepEqual([voter.total, voter.withResult, voter.withGold], [cases.length, ...sharesIn(cases)], worker);
      assertClose(
        voter.agreements,
        cases.reduce((sum, one) => sum + shareOf(one.item, one.said), 0),
        worker,
      );
      if (cases.every(({ item }) => item.gold !== undefined)) assertKappa(voter.kappa, cases, worker);
    }
  }
  for (const [worker, cases] of casesOf(crowdItemsIn(fanIn.imports))) {
    expected.add(`reviewer/${worker}`);
    const [withResult, withGold] = sharesIn(cases);
    const counts = { votes: cases.length, reviews: cases.length, effort: { votes: 0, totalMs: 0 } };
    assert.deepEqual(rows.get(`reviewer/${worker}`), { ...counts, withResult, withGold }, worker);
  }
  assertSameNames(rows.keys(), expected, "rows");
};

interface Case {
  readonly item: Item;
  readonly said: string;
}

/** By worker. */
function casesOf(items: readonly Item[]): Map<string, Case[]> {
  const cases = new Map<string, Case[]>();
  for (const item of items) {
    for (const { worker, label: said } of item.votes) {
      const own = cases.get(worker) ?? [];
      own.push({ item, said });
      cases.set(worker, own);
    }
  }
  return cases;
}

/** How far a label is thought to be true: wholly or not at all where it is known, else as far as people say so. */
function shareOf({ gold, votes }: Item, label: string): number {
  if (gold !== undefined) return gold === label ? 1 : 0;
  return votes.filter((vote) => vote.label === label).length / votes.length;
}

function sharesIn(cases: readonly Case[]) {
  return [(one: Case) => one.item.label, (one: Case) => one.item.gold].map((rightOf) => {
    const known = cases.filter((one) => rightOf(one) !== undefined);
    return { agreed: known.filter((one) => rightOf(one) === one.said).length, of: known.length };
  });
}

/** Cohen's, of what they say with what is so. */
function assertKappa(found: unknown, cases: readonly Case[], worker: string): void {
  const n = cases.length;
  const labels = new Set(cases.flatMap(({ said, item }) => [said, item.gold]));
  const observed = cases.filter(({ said, item }) => said === item.gold).length / n;
  const byChance = [...labels].reduce((sum, label) => {
    const [saying, being] = [
      cases.filter(({ said }) => said === label),
      cases.filter(({ item }) => item.gold === label),
    ];
    return sum + (saying.length / n) * (being.length / n);
  }, 0);
  if (byChance === 1) assert.equal(found, undefined, worker);
  else assertClose(found, (observed - byChance) / (1 - byChance), `kappa of ${worker}`);
}
