/** What is known of the inference that a signal is about: what the model was given, and what it answered. */
import type { RecordedEvent } from "retrace";
import { streamId } from "../../schemas/fields.ts";
import { given } from "../given-fields.ts";
import { idOf } from "../stream-id.ts";

/** As far as the log says it. */
export interface Interaction {
  readonly inputFeatures?: Readonly<Record<string, unknown>>;
  /** Whether the prompt lies outside the log, behind a reference. */
  readonly isPromptElsewhere?: boolean;
  readonly output?: unknown;
  readonly modelId?: string;
  readonly modelVersion?: string;
  readonly sessionId?: string;
}

/** The events of an inference that say something of it. */
export const interactionTypes = ["QueryReceived", "InferenceRequested", "InferenceCompleted"];

/** What is known after the event, in the order of the stream. */
export function afterEvent(before: Interaction | undefined, { type, data }: RecordedEvent): Interaction {
  const { promptRef, queryRef, ...said } = data as Readonly<Record<string, unknown>>;
  const isPromptElsewhere = promptRef !== undefined || queryRef !== undefined || before?.isPromptElsewhere === true;
  const { inputFeatures, output, modelId, modelVersion, sessionId } = said as Interaction;
  return {
    ...before,
    ...(inputFeatures !== undefined && { inputFeatures }),
    ...(isPromptElsewhere && { isPromptElsewhere }),
    ...(type === "InferenceCompleted" && output !== undefined && { output }),
    ...(modelId !== undefined && { modelId }),
    ...(modelVersion !== undefined && { modelVersion }),
    ...(sessionId !== undefined && { sessionId }),
  };
}

/** Where a signal comes from, as it says itself. */
export interface Origin {
  /** The id of the inference. */
  readonly requestId?: string;
  readonly modelId?: string;
  readonly modelVersion?: string;
}

/** The origin of a signal: what it carries, or the inference of whose stream it is. Events of any actor may have such fields. */
export function originOf(event: RecordedEvent): Origin {
  const data = (event.data ?? {}) as Readonly<Record<string, unknown>>;
  const context = (data.context ?? {}) as Readonly<Record<string, unknown>>;
  return given({
    requestId: event.category === "inference" ? idOf(event) : textIn(context.requestId),
    modelId: textIn(context.modelId ?? data.modelId),
    modelVersion: textIn(context.modelVersion ?? data.modelVersion),
  });
}

function textIn(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Whether there can be such an inference: a client may have written anything into its signals. */
export function isInferenceId(requestId: string): boolean {
  return streamId.safeParse(requestId).success;
}
