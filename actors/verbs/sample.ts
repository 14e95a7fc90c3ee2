/** `retrace sample`: transitions for experience replay, drawn from the log as of a position. */
import { defineVerb } from "retrace";
import { type SampleOptions, sample } from "./sample/sample.ts";

export default defineVerb({
  name: "sample",
  register: (program, tools) => {
    const command = program
      .command("sample")
      .description("draw transitions for experience replay from the log, as of a position")
      .requiredOption("--at <position>", "of the log, inclusive; `retrace health` says where it ends")
      .requiredOption("--spec <file>", "what to draw from, and how, as JSON; - for stdin")
      .requiredOption("--n <count>", "how many")
      .requiredOption("--seed <seed>", "an integer: another seed draws another sample")
      .requiredOption("--out <file>", "where to; - for stdout")
      .option("--force", "replace the file if it is there");
    tools.clientOptions(command).addHelpText(
      "after",
      `
The same spec, position, count and seed give the same bytes, on every machine. A row is
  {state, action, reward, nextState, done, weight, position, eventId}, weight being the correction of importance.

A spec is {"strategy": ...}, and may have "categories", "where", "since", "until" as those of \`retrace dataset build\`:
  {"kind": "uniform"}                                             without replacement
  {"kind": "recency", "halfLife": 1000, "beta": 0}                with replacement; 1,000 transitions later, half as likely
  {"kind": "prioritised", "by": "priority" | "reward", "alpha": 0.6, "beta": 0.4, "epsilon": 0}        with replacement
  {"kind": "stratified", "by": "data.userSegment", "shares": "proportional" | "equal"}               without replacement

The transitions are those that RecordTransition recorded. With "transitions": "derived" they are made of the inferences of
each session, in the order of their completion, and rewarded by the signals on them:
  "rewards": {"OutputApproved": 1, "UserRatedOutput": {"field": "rating", "times": 0.5, "plus": -1.5}}, "defaultReward": 0
Signals that were retracted up to the position count for nothing.

Examples:
  $ echo '{"strategy": {"kind": "prioritised"}}' > spec.json
  $ retrace sample --at 1200 --spec spec.json --n 256 --seed 7 --out batch.jsonl`,
    );
    command.action((options: SampleOptions) => sample(options, tools));
  },
});
