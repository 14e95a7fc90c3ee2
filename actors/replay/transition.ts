/** The rows of a sample: state, action, reward, next state, and what leads back to the log. */
import type { RecordedEvent } from "retrace";
import { canonicalJson } from "../canonical-json.ts";
import type { Interaction } from "../datasets/interaction.ts";
import type { Candidate } from "./candidate.ts";

/** What a transition is, whole. */
interface Transition {
  readonly state?: unknown;
  readonly action?: unknown;
  readonly reward: number;
  readonly nextState?: unknown;
  readonly done?: boolean;
}

/** A transition as it was recorded. */
export function recordedTransition({ data }: RecordedEvent): Transition {
  const { state, action, reward, nextState, done = nextState === undefined } = data as Transition;
  return { state, action, reward, nextState, done };
}

/** From what one inference was given to what the next of its session was given. The last one of its session is done. */
export function derivedTransition(reward: number, here: Interaction = {}, next?: Interaction): Transition {
  return {
    state: here.inputFeatures,
    action: here.output,
    reward,
    nextState: next?.inputFeatures,
    done: next === undefined,
  };
}

/** A line of JSON with its end; what is not known is null. */
export function transitionLine(
  { state = null, action = null, reward, nextState = null, done }: Transition,
  { position, eventId }: Candidate,
  weight: number,
): string {
  const parts = [
    ...(Object.entries({ state, action, reward, nextState, done }) as [string, unknown][]),
    ...(Object.entries({ weight, position, eventId }) as [string, unknown][]),
  ];
  return `{${parts.map(([name, value]) => `"${name}":${canonicalJson(value)}`).join(",")}}\n`;
}
