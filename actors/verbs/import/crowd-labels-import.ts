/**
 * Brings what a crowd said of many items into the history. Every vote carries its line and the reviews remember how far
 * they are, so a second import goes on where the first one ended.
 */

import type { AddressedCommand, Client, CommandReply } from "retrace";
import { counted } from "../print/counted.ts";
import { type CrowdReview, reviewsOf } from "./crowd-labels-commands.ts";
import { readCrowdLabels } from "./crowd-labels-read.ts";
import type { FileContext, FileOutcome } from "./files-verb.ts";
import { ImportRefused } from "./refused.ts";
import { type Stopped, stopsAll } from "./stop.ts";
import { dataSetOf } from "./stream-ids.ts";
import { sourceOf } from "./text-file.ts";

/** What may be chosen. */
export interface CrowdLabelsOptions {
  /** The file of the gold labels. */
  readonly gold?: string;
  readonly freeText?: boolean;
  /** The method by which reviews are closed that all have voted on. Default: they are not. */
  readonly close?: string;
}

/** Imports one file. @throws ImportRefused, Fault, or Error when it cannot be read. */
export async function importCrowdLabels(
  client: Client,
  file: string,
  context: FileContext<CrowdLabelsOptions>,
): Promise<FileOutcome> {
  const { gold, freeText: isFreeText = false, idPrefix, occurredAt } = context.options;
  const { source } = sourceOf(file);
  const crowdImport = new CrowdImport(client, context);
  const files = { labels: file, isFreeText, ...(gold !== undefined && { gold }) };
  const { items, options, rows, goldWithoutVotes } = readCrowdLabels(files, crowdImport.tellBadRow);
  const set = {
    dataSet: idPrefix ?? dataSetOf(file),
    source,
    ...(options !== undefined && { options }),
    ...(occurredAt !== undefined && { occurredAt }),
  };
  context.onTotal(rows);
  context.onDone(crowdImport.counts.badRows);
  await crowdImport.bring(items.flatMap((item) => reviewsOf(item, set)));
  const { counts, problems, stopped } = crowdImport;
  const { newReviews, withGold, closed, newEvents, alreadyThere, badRows } = counts;
  const closing = closed === 0 ? "" : `, ${closed} closed`;
  return {
    summary: [
      `${counted(rows, "row")}: ${counted(newReviews, "new review")} (${withGold} with gold)${closing}`,
      `${counted(newEvents, "new event")}, ${counted(alreadyThere, "row")} already there, ${counted(badRows, "bad row")}`,
    ].join(", "),
    counts: { source, rows, ...counts, goldWithoutVotes },
    bad: problems,
    ...(stopped !== undefined && { stopped }),
  };
}

/**
 * The reviews of a block are requested before the votes on them are sent: none go to a review that is another's. At the
 * end of each the runtime waits for this process, so it is large.
 */
const blockReviews = 4_000;

/** One import on its way. */
class CrowdImport {
  readonly #client: Client;
  readonly #context: FileContext<CrowdLabelsOptions>;
  /** Rows are settled as new votes, votes that were there already, or bad ones. */
  readonly counts = { newVotes: 0, alreadyThere: 0, badRows: 0, newReviews: 0, withGold: 0, closed: 0, newEvents: 0 };
  /** What was told, of whatever file. */
  problems = 0;
  stopped: Stopped | undefined;

  constructor(client: Client, context: FileContext<CrowdLabelsOptions>) {
    this.#client = client;
    this.#context = context;
  }

  /** `file` where it is not that of the votes. */
  readonly tellBadRow = (line: number, reason: string, file?: string): void => {
    this.#context.onProblem(line, reason, file);
    this.problems += 1;
    if (file === undefined) this.counts.badRows += 1;
  };

  async bring(reviews: readonly CrowdReview[]): Promise<void> {
    let block: readonly CrowdReview[];
    for (let from = 0; from < reviews.length && this.stopped === undefined; from += block.length) {
      // The first goes alone: where the file's name stands for other content by now, the others must not follow it.
      block = reviews.slice(from, from === 0 ? 1 : from + blockReviews);
      await this.#close(await this.#vote(await this.#request(block)));
    }
  }

  /** Gives those that are there now. */
  async #request(reviews: readonly CrowdReview[]): Promise<readonly CrowdReview[]> {
    const requested: CrowdReview[] = [];
    const commands = reviews.map((review) => ({ ...review.request, review, lines: review.lines }));
    await this.#send(commands, ({ review }, { events }) => {
      requested.push(review);
      this.counts.newReviews += events.length;
      if (review.hasGold) this.counts.withGold += events.length;
    });
    return requested;
  }

  /** Gives those that all have voted on and nobody has closed. */
  async #vote(reviews: readonly CrowdReview[]): Promise<readonly CrowdReview[]> {
    const states = new Map<CrowdReview, unknown>();
    const commands = reviews.flatMap((review) => review.votes.map((votes) => ({ ...votes, review })));
    await this.#send(commands, ({ review, lines }, { events, state }) => {
      const newVotes = events.filter(({ type }) => type === "HumanLabelSubmitted").length;
      this.counts.newVotes += newVotes;
      this.counts.alreadyThere += lines.length - newVotes;
      this.#context.onDone(lines.length);
      states.set(review, state.value);
    });
    return reviews.filter((review) => states.get(review) === "voted");
  }

  async #close(reviews: readonly CrowdReview[]): Promise<void> {
    const { close: method } = this.#context.options;
    if (method === undefined) return;
    const command = { type: "CloseReview", data: { method } };
    const commands = reviews.map((review) => ({
      ...review.request,
      command,
      options: review.votedAt,
      review,
      lines: [],
    }));
    await this.#send(commands, (_command, { events }) => {
      this.counts.closed += events.length;
    });
  }

  /** What is refused is told with all its rows; what nothing can be said to stops the import. */
  async #send<Command extends OfReview>(
    commands: readonly Command[],
    onReply: (command: Command, reply: CommandReply) => void,
  ): Promise<void> {
    if (this.stopped !== undefined) return;
    for await (const { command, reply, fault } of this.#client.sendMany(this.#untilInterrupted(commands))) {
      if (fault === undefined) {
        this.counts.newEvents += reply.events.length;
        onReply(command, reply);
        continue;
      }
      if (fault.details.reason === "SOURCE_CHANGED") throw new ImportRefused(fault.message);
      const { review, lines } = command;
      if (stopsAll(fault)) {
        this.stopped = { line: lineOf(review), reason: fault.message };
        return;
      }
      const reason = `review ${review.id}: ${fault.message}`;
      for (const line of lines) this.tellBadRow(line, reason);
      this.#context.onDone(lines.length);
      if (lines.length > 0) continue;
      this.#context.onProblem(lineOf(review), reason);
      this.problems += 1;
    }
  }

  *#untilInterrupted<Command extends OfReview>(commands: readonly Command[]): Generator<Command, void, undefined> {
    for (const command of commands) {
      if (this.#context.isInterrupted()) this.stopped = { line: lineOf(command.review), reason: "interrupted" };
      if (this.stopped !== undefined) return;
      yield command;
    }
  }
}

interface OfReview extends AddressedCommand {
  readonly review: CrowdReview;
  /** The rows that are lost when it is refused. */
  readonly lines: readonly number[];
}

function lineOf({ lines }: CrowdReview): number {
  return lines[0] ?? 1;
}
