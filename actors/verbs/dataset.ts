/** `retrace dataset`: training data from the log, as of a position. */
import { defineVerb } from "retrace";
import { registerBuild } from "./dataset/build.ts";
import { registerRegister } from "./dataset/register.ts";

export default defineVerb({
  name: "dataset",
  register: (program, tools) => {
    const verb = program
      .command("dataset")
      .description("training data from the log, as of a position: build it, register it as a version")
      .addHelpText(
        "after",
        `
Examples:
  $ echo '{"format": "trl", "types": ["PreferenceLogged"]}' > spec.json
  $ retrace dataset build --at 1200 --spec spec.json --out pairs
  $ retrace dataset register pairs --id answers --version v3`,
      );
    registerBuild(verb, tools);
    registerRegister(verb, tools);
  },
});
