/** `retrace demo`: the whole loop on the files of this package, over NATS like any user's program. */
import { type Client, type ClientOptions, defineVerb, type VerbTools } from "retrace";
import { tell, WrongUsage } from "./print/wrong-usage.ts";

interface DemoOptions extends ClientOptions {
  readonly auto?: boolean;
  readonly data?: string;
}

export default defineVerb({
  name: "demo",
  register: (program, tools) => {
    const verb = program
      .command("demo")
      .description("a classifier learns from the files of this package, then from your corrections")
      .option("--auto", "take the true labels instead of asking for them")
      .option("--data <dir>", "keep log and artifacts there (default: a temporary folder, removed at the end)")
      .addHelpText(
        "after",
        `
Without --nats it starts a runtime of its own and ends it.

Example:
  $ retrace demo --auto`,
      );
    tools.clientOptions(verb);
    verb.action((options: DemoOptions) => {
      const { nats, ...others } = options;
      const isNamed = verb.getOptionValueSource("nats") !== "default";
      return demo({ ...others, ...(isNamed && nats !== undefined ? { nats } : {}) }, tools);
    });
  },
});

async function demo(options: DemoOptions, tools: VerbTools): Promise<void> {
  if (options.auto !== true && !process.stdin.isTTY) {
    tell(new WrongUsage("without a terminal there is nobody to ask; use --auto for the true labels"), tools);
    return;
  }
  const { demonstrate, DemonstrationStopped } = await import("./demo/demonstrate.ts");
  const connect = (nats: string | undefined): Promise<Client> =>
    tools.connect({ ...options, ...(nats === undefined ? {} : { nats }) });
  try {
    const { summary, sentence } = await demonstrate({ ...options, connect });
    tools.print(options, sentence, summary);
    if (summary.replay.different.length > 0) tools.exitCode(1);
  } catch (error) {
    if (!(error instanceof DemonstrationStopped)) throw error;
    console.error(`\nerror: ${error.message}`);
    tools.exitCode(1);
  }
}
