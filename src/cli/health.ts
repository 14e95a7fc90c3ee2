/** The verb `health`: is everything where it belongs. */
import type { Command as CliCommand } from "commander";
import { counted } from "./counted.ts";
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
  readonly sagas: readonly {
    readonly name: string;
    readonly running: number;
    readonly stuck: number;
    readonly policy: { readonly refused?: { readonly version: number; readonly message: string } };
  }[];
  readonly timers: { readonly pending: number; readonly overdueMs: number };
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

function describe({ status, position, relay, sagas, timers, store, commands, process }: HealthReply): string {
  const reason = relay.reason === undefined ? "" : ` (${relay.reason})`;
  return [
    `status    ${status}`,
    `log       position ${position}, ${megabytes(store.bytes)}, store ${store.id}`,
    `relay     at ${relay.position}, ${counted(relay.lagEvents, "event")} and ${relay.lagMs} ms behind${reason}`,
    ...sagas.map(sagaLine),
    `timers    ${timers.pending} set${timers.overdueMs === 0 ? "" : `, the next overdue by ${timers.overdueMs} ms`}`,
    `commands  ${commands.queued} waiting, ${commands.liveActors} actors in memory`,
    `process   ${process.pid}, up ${Math.round(process.uptimeMs / 1_000)} s, ${megabytes(process.memoryBytes)}`,
  ].join("\n");
}

function sagaLine({ name, running, stuck, policy }: HealthReply["sagas"][number]): string {
  const help = stuck === 0 ? "" : `, ${stuck} stuck: retrace saga list ${name} --stuck`;
  const { refused } = policy;
  const policyText =
    refused === undefined ? "" : `; its policy version ${refused.version} is not followed: ${refused.message}`;
  return `saga      ${name}: ${running} running${help}${policyText}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
