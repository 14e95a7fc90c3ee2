/** The inputs of a saga's chart, made from what is recorded: the same when a step is taken and when it is folded again. */
import type { RecordedEvent } from "./message.ts";
import type { Answer, RejectedCommand, SagaAnswered, SagaCommandRejected, SagaEvent, StepInfo } from "./saga.ts";
import type { TimerEvent } from "./saga-chart.ts";
import { streamId } from "./stream.ts";

/** An event of the log, its data at the latest version. */
export function eventInput(event: RecordedEvent, info: StepInfo): SagaEvent {
  const { type, data, id, position, stream, category, version, occurredAt, recordedAt, metadata } = event;
  return {
    type,
    data,
    id,
    position,
    stream,
    category,
    streamId: streamId(stream, category),
    version,
    occurredAt,
    recordedAt,
    correlationId: metadata.correlationId,
    actor: metadata.actor,
    ...info,
  };
}

/** A timer that has fired. */
export function timerInput(event: TimerEvent, info: StepInfo): TimerEvent & StepInfo {
  return { ...event, ...info };
}

/** A command of the saga that was refused. */
export function rejectedInput(data: RejectedCommand, info: StepInfo): SagaCommandRejected {
  return { type: "SagaCommandRejected", data, ...info };
}

/** An answer to the saga's question. */
export function answeredInput(data: Answer, info: StepInfo): SagaAnswered {
  return { type: "SagaAnswered", data, ...info };
}
