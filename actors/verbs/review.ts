/** `retrace review`: what people are asked about predictions. */
import { defineVerb } from "retrace";
import { registerWhatIf } from "./review/what-if.ts";

export default defineVerb({
  name: "review",
  register: (program, tools) => {
    const verb = program
      .command("review")
      .description("review what models said")
      .addHelpText("after", "\nExample:\n  $ retrace review what-if --rule rule.json --since 2026-01-01T00:00:00Z");
    registerWhatIf(verb, tools);
  },
});
