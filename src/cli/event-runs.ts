/** Events told in few lines: those of one type by one person that follow one another are one line. */
import type { RecordedEvent } from "../core/message.ts";
import { colors } from "./colors.ts";
import { timeText } from "./print-event.ts";

/** Fewer than these stand alone. */
const minRun = 3;

/** A line for each event or run of events, in their order. */
export function eventRunLines(events: readonly RecordedEvent[]): string[] {
  return runsOf(events).flatMap((run) => (run.length < minRun ? run.map((event) => runLine([event])) : [runLine(run)]));
}

function runsOf(events: readonly RecordedEvent[]): RecordedEvent[][] {
  const runs: RecordedEvent[][] = [];
  for (const event of events) {
    const run = runs.at(-1);
    const before = run?.[0];
    const isNext = before?.type === event.type && before.metadata.actor?.id === event.metadata.actor?.id;
    if (isNext) run?.push(event);
    else runs.push([event]);
  }
  return runs;
}

function runLine(run: readonly RecordedEvent[]): string {
  const [first, last] = [run[0], run.at(-1)] as [RecordedEvent, RecordedEvent];
  const span = (from: unknown, to: unknown): string => (from === to ? `${from}` : `${from} to ${to}`);
  const versions = colors.cyan(`version${run.length > 1 ? "s" : ""} ${span(first.version, last.version)}`);
  const times = colors.dim(run.length > 1 ? span(first.recordedAt, last.recordedAt) : timeText(first));
  const count = run.length > 1 ? ` (${run.length} times)` : "";
  const actor = first.metadata.actor === undefined ? "" : ` by ${first.metadata.actor.id}`;
  return `${versions} ${times} ${colors.bold(first.type)}${count}${actor}`;
}
