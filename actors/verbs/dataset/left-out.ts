/** Why events gave no row, for people. */
import type { LeftOut } from "../../datasets/judgement.ts";
import { counted } from "../print/counted.ts";

/** Of datasets and of samples. */
export const leftOutReasons = {
  retracted: "taken back by a FeedbackRetracted",
  tie: "a preference for neither",
  "no-prompt": "neither the signal nor the inference that it names has one",
  "prompt-elsewhere": "the inference has its prompt by reference only",
  "no-verdict": "neither for nor against the answer",
  "no-answer": "neither the signal nor the inference that it names has one",
  "no-good-answer": "only a bad one is known",
  "no-bad-answer": "only a good one is known",
  "same-answers": "good and bad are the same",
  conversation: 'a list of messages where "messages": false wants texts',
  "no-session": "the inference is of no session",
  "no-request": "the signal names no inference",
  "no-value": "the signal has no number in the field that rewards names",
} as const satisfies Readonly<Record<LeftOut["reason"], string>> & Readonly<Record<string, string>>;

/** A line for each reason. */
export function leftOutLines(leftOut: Readonly<Record<string, number>>): string[] {
  return Object.entries(leftOut).map(([reason, events]) => {
    const why = Object.hasOwn(leftOutReasons, reason)
      ? leftOutReasons[reason as keyof typeof leftOutReasons]
      : undefined;
    return `  left out: ${counted(events, "event")}, ${reason}${why === undefined ? "" : ` (${why})`}`;
  });
}
