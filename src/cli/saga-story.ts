/** The story of one saga instance: its stream in the words of people, each line with its cause. */
import type { RecordedEvent } from "../core/message.ts";
import type { SagaEvents, SagaEventType, StepRecord } from "../core/saga-events.ts";
import { colors } from "./colors.ts";

/** One event of the stream, told. */
export interface StoryLine {
  readonly event: RecordedEvent;
  readonly text: string;
}

type SagaStreamEvent = { [Type in SagaEventType]: RecordedEvent<Type, SagaEvents[Type]> }[SagaEventType];

/** Tells the events of a saga's stream; `effects` are the events that its commands led to. */
export function sagaStory(events: readonly RecordedEvent[], effects: readonly RecordedEvent[]): StoryLine[] {
  const byCommand = new Map<string, RecordedEvent[]>();
  for (const effect of effects) {
    const { commandId } = effect.metadata;
    byCommand.set(commandId, [...(byCommand.get(commandId) ?? []), effect]);
  }
  const rejected = new Map<string, string>();
  for (const event of events as readonly SagaStreamEvent[]) {
    if (event.type === "SagaCommandRejected") rejected.set(event.data.commandId, event.data.reason ?? event.data.code);
  }
  return (events as readonly SagaStreamEvent[]).map((event) => {
    const lines = [headline(event), ...("commands" in event.data ? details(event.data, byCommand, rejected) : [])];
    return { event, text: lines.join("\n") };
  });
}

function headline(event: SagaStreamEvent): string {
  const time = colors.dim(event.recordedAt);
  return `${time} ${sentence(event)}`;
}

function sentence(event: SagaStreamEvent): string {
  switch (event.type) {
    case "SagaStarted":
      return `${colors.bold("began")} with ${consumed(event.data.startedBy)}, in ${state(event.data.to)}`;
    case "SagaAdvanced":
      return `${consumed(event.data.consumed)}${move(event.data)}`;
    case "SagaTimerFired":
      return `the timer ${event.data.timer}, due at ${event.data.dueAt}, fired${move(event.data)}`;
    case "SagaCommandRejected": {
      const { command, code, reason, message } = event.data;
      const why = `${reason ?? code}: ${message}`;
      return `${command.type} to ${command.category}-${command.id} was ${colors.red("refused")}: ${why}${move(event.data)}`;
    }
    case "SagaAnswered": {
      const { question, rows, position } = event.data;
      const asked = question.keys?.join(", ") ?? `${question.prefix ?? ""}*`;
      const found = `${rows.length} ${rows.length === 1 ? "row" : "rows"} as of position ${position}`;
      return `${question.projection} answered for ${asked}: ${found}${move(event.data)}`;
    }
    case "SagaStuck":
      return `${colors.red("stuck")} at ${String(event.data.at)}: ${event.data.reason}: ${event.data.message}`;
    case "SagaResumed":
      return `${event.data.by} had it ${event.data.how}${because(event.data.reason)}`;
    case "SagaMigrated":
      return `moved from version ${event.data.fromVersion} to ${event.data.toVersion} of the saga, into ${state(event.data.to)}`;
    case "SagaEnded": {
      const who = event.data.by === undefined ? "" : ` by ${event.data.by}`;
      return `${colors.bold(event.data.how === "done" ? "ended" : "resolved")}${who} in ${state(event.data.state)}${because(event.data.reason)}`;
    }
  }
}

function because(reason: string | undefined): string {
  return reason === undefined ? "" : `: ${reason}`;
}

function consumed({
  type,
  stream,
  version,
}: {
  readonly type: string;
  readonly stream: string;
  readonly version: number;
}): string {
  return `${colors.bold(type)} at ${colors.cyan(`${stream}@${version}`)}`;
}

function move({ from, to }: StepRecord): string {
  return JSON.stringify(from) === JSON.stringify(to) ? `, stays in ${state(to)}` : `: ${state(from)} -> ${state(to)}`;
}

function state(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function details(
  { commands, timers }: StepRecord,
  byCommand: ReadonlyMap<string, readonly RecordedEvent[]>,
  rejected: ReadonlyMap<string, string>,
): string[] {
  const sent = commands.map(({ commandId, category, id, type }) => {
    const made = (byCommand.get(commandId) ?? []).map((event) => `${event.type}@${event.version}`);
    const refusal = rejected.get(commandId);
    const outcome = refusal !== undefined ? `refused: ${refusal}` : made.length > 0 ? made.join(", ") : "no event";
    return `    sent ${type} to ${colors.cyan(`${category}-${id}`)}: ${outcome}`;
  });
  const set = timers.set.map(({ id, dueAt }) => `    set the timer ${id} for ${dueAt}`);
  const cancelled = timers.cancelled.map((id) => `    cancelled the timer ${id}`);
  return [...sent, ...set, ...cancelled];
}
