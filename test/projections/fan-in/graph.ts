/** What spans all files: what came from what, and who decided. */
import assert from "node:assert/strict";
import type { FanIn, Fields } from "../fan-in.ts";
import { assertSameNames, type Check, countBy, groupBy, rowsOf } from "./counting.ts";
import { crowdItemsIn } from "./crowds.ts";
import { documentsIn } from "./documents.ts";
import { filesOf, type Import, textOf } from "./files.ts";
import { runsIn } from "./runs.ts";
import { correctionsIn, ratingsIn, truthsIn, verdictsIn } from "./signals.ts";

/** The sessions by name, with how much was decided in each. */
function sessionsIn(imports: readonly Import[]): Map<string, number> {
  return new Map(
    filesOf(imports, "agent-sessions").map((file) => {
      const { trajectory } = JSON.parse(textOf(file)) as { readonly trajectory: readonly unknown[] };
      return [file.replace(/^.*\/|\.traj\.json$/g, ""), trajectory.length];
    }),
  );
}

/** What people compared: a test set, and the verdicts of models on it. */
function comparedIn(imports: readonly Import[]): Set<string> {
  const files = filesOf(imports, "preferences");
  return new Set(files.flatMap((file) => (JSON.parse(textOf(file)) as Fields[]).map(({ idx }) => String(idx))));
}

/**
 * Each inference under the judge that answered, each run under its code, each review
 * under what it is about, and each revision under the one before; what is only named is external.
 */
export const lineage: Check = (fanIn) => {
  const { imports } = fanIn;
  const rows = rowsOf(fanIn, "lineage");
  const runs = runsIn(imports);
  const verdicts = verdictsIn(imports);
  const items = crowdItemsIn(imports);
  const documents = documentsIn(imports);
  const versions = [...documents.values()].reduce((sum, revisions) => sum + revisions.size, 0);
  const threads = [
    ...ratingsIn(imports).map(({ segment, system }) => `rated ${segment} ${system}`),
    ...[...correctionsIn(imports), ...truthsIn(imports)].map(({ sentence }) => `corrected ${sentence}`),
    ...[...comparedIn(imports)].map((item) => `compared ${item}`),
  ];
  const codes = runs.flatMap(({ code }) => code ?? []);
  const judges = new Set(verdicts.map(({ judge }) => judge));

  const nodes = [...rows].filter(([key]) => key.startsWith("node/"));
  const kindOf = ({ category, external }: Fields) => `${category}${external === true ? " (external)" : ""}`;
  assert.deepEqual(
    countBy(nodes.map(([, node]) => kindOf(node))),
    withoutZeros({
      "agent-session": sessionsIn(imports).size,
      "code (external)": new Set(codes).size,
      document: versions,
      feedback: new Set(threads).size,
      inference: verdicts.length,
      "item (external)": items.length,
      "model (external)": judges.size,
      review: items.length,
      "training-run": runs.length,
    }),
  );
  const named = [
    ...[...sessionsIn(imports).keys()].map((name) => `agent-session-${name}`),
    ...codes.map((code) => `code-${code}`),
    ...items.map(({ set, item }) => `item-${set}/${item}`),
    ...[...judges].map((judge) => `model-${judge}`),
    ...runs.map(({ id }) => `training-run-${id}`),
  ];
  const hasOwnName = /^node\/(?!document-|feedback-|inference-|review-)/;
  assertSameNames(
    nodes.flatMap(([key]) => (hasOwnName.test(key) ? [key.slice(5)] : [])),
    named,
    "nodes",
  );

  const edges = [...rows].filter(([key]) => key.startsWith("down/")).map(([, edge]) => edge);
  const stepOf = ({ from, kind }: Fields) => (kind === "updated to" ? kind : `${from} ${kind}`);
  assert.deepEqual(
    countBy(edges.map(stepOf)),
    countBy([
      ...runs.flatMap(({ code }) => (code === undefined ? [] : [`code-${code} ran as`])),
      ...verdicts.map(({ judge }) => `model-${judge} answered`),
      ...items.map(({ set, item }) => `item-${set}/${item} reviewed in`),
      ...Array.from({ length: versions - documents.size }, () => "updated to"),
    ]),
  );
  const answered = edges.filter(({ kind }) => kind === "answered").map(({ to }) => String(to));
  assertSameNames(
    answered,
    nodes.flatMap(([, { category, id }]) => (category === "inference" ? `inference-${id}` : [])),
    "answers",
  );
  assertSameNames(
    [...rows.keys()].filter((key) => key.startsWith("up/")),
    edges.map(({ from, to, kind }) => `up/${to}\t${from}\t${kind}`),
    "steps back",
  );
  for (const edge of edges) assert.deepEqual(rows.get(`up/${edge.to}\t${edge.from}\t${edge.kind}`), edge);
  assert.equal(rows.size, nodes.length + 2 * edges.length);
};

const eachKey = /\/\d{12}$/;

/** Every label, correction, request, result and decision of an agent: once, under what it is about, as it stands in the log. */
export const audit: Check = (fanIn) => {
  const { imports } = fanIn;
  const rows = [...rowsOf(fanIn, "audit")];
  const each = rows.filter(([key]) => eachKey.test(key));
  const subjects = rows.filter(([key]) => !eachKey.test(key));
  const items = crowdItemsIn(imports);
  const sessions = sessionsIn(imports);
  const corrections = correctionsIn(imports);
  const sentences = [...corrections, ...truthsIn(imports)].map(({ sentence }) => sentence);
  const verdicts = verdictsIn(imports);

  assert.deepEqual(
    countBy(each.map(([, { type, details }]) => said(String(type), details as Fields))),
    countBy([
      ...[...corrections, ...truthsIn(imports)].map(({ text, worker }) => `CorrectionSubmitted ${worker} ${text}`),
      ...[...sessions.values()].flatMap((count) => Array.from({ length: count }, () => "DecisionMade")),
      ...verdicts.map(({ judge, gold, winner }) => {
        return `HumanLabelApplied ${judge} ${gold} ${winner === "" ? undefined : winner === gold}`;
      }),
      ...items.map(({ set, votes }) => `HumanReviewRequested ${set} ${votes.length}`),
      ...items.map(({ set, label }) => {
        return label === undefined ? `ReviewDisputed ${set} majority` : `ReviewConsensusReached ${set} ${label}`;
      }),
    ]),
  );

  const decisionsOf = (category: string) =>
    subjects.filter(([key]) => key.startsWith(category)).map(([, { decisions }]) => Number(decisions));
  const sorted = (counts: Iterable<number>) => [...counts].sort((a, b) => a - b);
  assert.deepEqual(countBy(decisionsOf("inference-")), withoutZeros({ 1: verdicts.length }));
  assert.deepEqual(sorted(decisionsOf("feedback-")), sorted(Object.values(countBy(sentences))));
  for (const [name, count] of sessions) assert.equal(decisionsIn(fanIn, `agent-session-${name}`), count, name);
  for (const { set, item } of items) assert.equal(decisionsIn(fanIn, `item-${set}/${item}`), 2, item);
  const about = verdicts.length + new Set(sentences).size + sessions.size + items.length;
  assert.equal(subjects.length, about);

  assertAsLogged(fanIn, each);
  const bySubject = groupBy(each, ([key]) => key.replace(eachKey, ""));
  for (const [subject, { latest, decisions, firstAt, lastAt }] of subjects) {
    const own = (bySubject.get(subject) ?? []).map(([, row]) => row);
    const times = own.map(({ at }) => String(at)).sort();
    assert.deepEqual([decisions, firstAt, lastAt], [own.length, times[0], times.at(-1)], subject);
    assert.deepEqual(latest, own.slice(-20), subject);
  }
};

/** What is told of a decision, without what the right answer was. */
function said(type: string, details: Fields): string {
  assert.ok(!("gold" in details) || type === "CorrectionSubmitted", `${type} shows the right answer`);
  const { annotator, corrected, modelId, label, agreement, taskKind, k, method } = details;
  switch (type) {
    case "CorrectionSubmitted":
      return `${type} ${annotator} ${corrected}`;
    case "HumanLabelApplied":
      return `${type} ${modelId} ${label} ${agreement}`;
    case "HumanReviewRequested":
      return `${type} ${taskKind} ${k}`;
    case "ReviewConsensusReached":
      return `${type} ${taskKind} ${label}`;
    case "ReviewDisputed":
      return `${type} ${taskKind} ${method}`;
    default:
      return type;
  }
}

function assertAsLogged({ store }: FanIn, decisions: readonly (readonly [string, Fields])[]): void {
  const byPosition = new Map(decisions.map(([, row]) => [row.position, row]));
  assert.equal(byPosition.size, decisions.length);
  for (const { position, type, stream, occurredAt, recordedAt, metadata } of store.readAll({})) {
    const row = byPosition.get(position);
    if (row === undefined) continue;
    const { causationId, correlationId } = metadata;
    const logged = { type, stream, at: occurredAt, recordedAt, causationId, correlationId };
    const { by: _, actor, isVerified: __, reason: ___, details: ____, position: _____, ...told } = row;
    assert.deepEqual(told, logged, `position ${position}`);
    assert.equal(actor, metadata.actor?.id, `position ${position}`);
    byPosition.delete(position);
  }
  assert.deepEqual([...byPosition.keys()], []);
}

function decisionsIn(fanIn: FanIn, subject: string): unknown {
  return rowsOf(fanIn, "audit").get(subject)?.decisions;
}

function withoutZeros(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
