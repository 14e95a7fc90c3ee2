/**
 * A subscriber as a process of its own, to be killed, stopped and continued: prints a JSON line when a handler begins and
 * when it ends, and when the state changes. Arguments: the broker's URL, the options of `subscribe`, how long a handler
 * takes in milliseconds.
 */
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "../../src/wire/client.ts";
import type { SubscribeOptions } from "../../src/wire/subscribe.ts";

/** One line. */
export type Line =
  | { readonly what: "begin" | "end" | "aborted"; readonly position: number; readonly stream: string }
  | { readonly what: "standby" | "active" | "waiting" | "ended" };

const [url = "", options = "{}", handlerMs = "0"] = process.argv.slice(2);

function say(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const client = await connect({ servers: url });
const subscription = await client.subscribe(
  {
    ...(JSON.parse(options) as SubscribeOptions),
    onNotice: (notice) => {
      if (notice.kind === "state") say({ what: notice.state });
    },
  },
  async ({ position, stream }, { signal }) => {
    say({ what: "begin", position, stream });
    await delay(Number(handlerMs));
    say({ what: signal.aborted ? "aborted" : "end", position, stream });
  },
);

process.stdin.once("data", async () => {
  await subscription.close();
  await client.close();
  process.exit(0);
});
