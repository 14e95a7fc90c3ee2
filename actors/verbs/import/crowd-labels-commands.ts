/** Turns what a crowd said of one item into commands: a review, and the votes on it in the order of the file. */
import type { AddressedCommand, CommandMetadata } from "retrace";
import type { CrowdItem, CrowdVote } from "./crowd-labels-read.ts";
import { streamIdOf } from "./stream-ids.ts";
import type { FileSource } from "./text-file.ts";

/** What is the same for all items of a file. */
export interface CrowdSet {
  /** Begins the ids of the reviews, and names what kind of task they are. */
  readonly dataSet: string;
  readonly source: FileSource;
  readonly options?: readonly string[];
  /** ISO 8601, for votes that do not say when they were cast. */
  readonly occurredAt?: string;
}

/** A review of the file. */
export interface CrowdReview {
  readonly id: string;
  readonly request: AddressedCommand;
  readonly votes: readonly CastVotes[];
  /** The metadata of what follows on the last vote. */
  readonly votedAt: CommandMetadata;
  /** Of its votes. */
  readonly lines: readonly number[];
  readonly hasGold: boolean;
}

/** Votes that travel together. */
export interface CastVotes extends AddressedCommand {
  readonly lines: readonly number[];
}

const category = "review";

/** The most votes that a review may have, with options and in free text. */
const maxVotes = 100;
const maxFreeTextVotes = 20;

/** The most bytes of a command's votes, as characters of JSON: one above 256 KiB would be refused. */
const maxCharacters = 64 * 1024;
const maxSubjectCharacters = 256;

/**
 * The reviews of one item: one, or where more people voted than a review may have votes, as many as are needed. Those
 * after the first are about the same subject and have a number behind their id.
 */
export function reviewsOf(crowdItem: CrowdItem, set: CrowdSet): CrowdReview[] {
  const { item, votes } = crowdItem;
  const most = set.options === undefined ? maxFreeTextVotes : maxVotes;
  const parts = Math.ceil(votes.length / most);
  return Array.from({ length: parts }, (_, index) => {
    const number = index === 0 ? [] : [String(index + 1)];
    const id = streamIdOf(set.dataSet, item, ...number);
    return reviewOf({ ...crowdItem, votes: votes.slice(index * most, (index + 1) * most) }, id, set);
  });
}

function reviewOf({ item, votes, gold }: CrowdItem, id: string, set: CrowdSet): CrowdReview {
  const { dataSet, source, options } = set;
  const [first] = votes as readonly [CrowdVote];
  const times = votes.flatMap(({ at }) => at ?? []).sort();
  const name = `${dataSet}/${item}`;
  const data = {
    subject: { category: "item", id: name.length <= maxSubjectCharacters ? name : id },
    taskKind: dataSet,
    ...(options !== undefined && { options }),
    ...(gold !== undefined && { gold }),
    k: votes.length,
    source,
    sourceLine: first.line,
  };
  const request = { category, id, command: { type: "RequestReview", data }, options: metadataOf(set, times[0]) };
  return {
    id,
    request,
    votedAt: metadataOf(set, times.at(-1)),
    votes: groupsOf(votes).map((group) => castVotes(group, { id, first, set })),
    lines: votes.map(({ line }) => line),
    hasGold: gold !== undefined,
  };
}

interface Cast {
  readonly id: string;
  /** The vote on whose line the review was requested, too. */
  readonly first: CrowdVote;
  readonly set: CrowdSet;
}

function castVotes(votes: readonly CrowdVote[], { id, first, set }: Cast): CastVotes {
  const labels = votes.map((vote) => {
    const { line: sourceLine, at: _, ...said } = vote;
    return { ...said, sourceLine, ...(vote === first && { sourcePart: 2 }) };
  });
  return {
    category,
    id,
    command: { type: "RecordLabels", data: { labels, source: set.source } },
    options: metadataOf(set, votes[0]?.at),
    lines: votes.map(({ line }) => line),
  };
}

/** Votes side by side that were cast at the same time, as many as one command carries. */
function groupsOf(votes: readonly CrowdVote[]): CrowdVote[][] {
  const groups: CrowdVote[][] = [];
  let characters = 0;
  for (const vote of votes) {
    const group = groups.at(-1);
    const size = JSON.stringify(vote).length;
    if (group === undefined || group[0]?.at !== vote.at || characters + size > maxCharacters) {
      groups.push([vote]);
      characters = size;
    } else {
      group.push(vote);
      characters += size;
    }
  }
  return groups;
}

function metadataOf({ source, occurredAt }: CrowdSet, at = occurredAt): CommandMetadata {
  return { correlationId: `import-${source.sha256}`, ...(at !== undefined && { occurredAt: at }) };
}
