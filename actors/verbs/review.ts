/** `retrace review`: what people are asked, what they answer, and which cases a rule sends to them. */
import { defineVerb } from "retrace";
import { registerAnswers } from "./review/answers.ts";
import { registerClaim } from "./review/claim.ts";
import { registerList } from "./review/list.ts";
import { registerShow } from "./review/show.ts";
import { registerWhatIf } from "./review/what-if.ts";

export default defineVerb({
  name: "review",
  register: (program, tools) => {
    const verb = program
      .command("review")
      .description("review what models said: list, claim, submit, and the second line")
      .addHelpText(
        "after",
        `
Examples:
  $ export RETRACE_REVIEWER=ada
  $ retrace review list --mine
  $ retrace review claim
  $ retrace review submit r42 spam
  $ retrace review what-if --rule rule.json --since 2026-01-01T00:00:00Z`,
      );
    registerList(verb, tools);
    registerShow(verb, tools);
    registerClaim(verb, tools);
    registerAnswers(verb, tools);
    registerWhatIf(verb, tools);
  },
});
