/** `retrace run`: training runs beside one another, in figures and in pictures. */
import { defineVerb } from "retrace";
import { registerCompare } from "./run/compare.ts";
import { registerPlot } from "./run/plot.ts";

export default defineVerb({
  name: "run",
  register: (program, tools) => {
    const verb = program
      .command("run")
      .description("training runs beside one another: compare, plot")
      .addHelpText(
        "after",
        `
Examples:
  $ retrace run compare r1 r2 r3 --metric val_loss
  $ retrace run plot r1 r2 --metric val_loss --out losses.svg`,
      );
    registerCompare(verb, tools);
    registerPlot(verb, tools);
  },
});
