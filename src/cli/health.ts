/** The verb `health`: is everything where it belongs. */
import type { Command as CliCommand } from "commander";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface HealthReply {
  readonly status: string;
  readonly position: number;
  readonly relay: {
    readonly position: number;
    readonly lagEvents: number;
    readonly lagMs: number;
    readonly reason?: string;
  };
  readonly store: { readonly id: string; readonly events: number; readonly bytes: number };
  readonly commands: { readonly queued: number; readonly liveActors: number };
  readonly process: { readonly pid: number; readonly uptimeMs: number; readonly memoryBytes: number };
}

/** Adds the verb to the program. */
export function registerHealth(program: CliCommand): void {
  verbTools
    .clientOptions(program.command("health").description("print how the runtime is; status 1 when it is degraded"))
    .addHelpText("after", "\nExample:\n  $ retrace health --json\n")
    .action(async (options: ClientOptions) => {
      const reply = await withClient(options, (client) => client.query<HealthReply>("health"));
      verbTools.print(options, describe(reply), reply);
      if (reply.status !== "ok") verbTools.exitCode(1);
    });
}

function describe({ status, position, relay, store, commands, process }: HealthReply): string {
  const reason = relay.reason === undefined ? "" : ` (${relay.reason})`;
  return [
    `status    ${status}`,
    `log       position ${position}, ${megabytes(store.bytes)}, store ${store.id}`,
    `relay     at ${relay.position}, ${relay.lagEvents} events and ${relay.lagMs} ms behind${reason}`,
    `commands  ${commands.queued} waiting, ${commands.liveActors} actors in memory`,
    `process   ${process.pid}, up ${Math.round(process.uptimeMs / 1_000)} s, ${megabytes(process.memoryBytes)}`,
  ].join("\n");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
