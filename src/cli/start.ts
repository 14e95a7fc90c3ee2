/** The verb `start`: a runtime as a process, with its broker where none is named. PROTOCOL.md, Process. */
import { join, resolve } from "node:path";
import type { NatsConnection } from "@nats-io/nats-core";
import { type Command as CliCommand, Option } from "commander";
import { type EmbeddedBroker, startEmbeddedBroker } from "../broker/embedded-broker.ts";
import { assertServerVersion } from "../broker/server-version.ts";
import type { EventStore } from "../core/event-store.ts";
import { builtInActors } from "../runtime/actor-files.ts";
import { systemClock } from "../runtime/clock.ts";
import { loadActors } from "../runtime/loader.ts";
import { type Log, openLog } from "../runtime/log.ts";
import { createRuntime, type Runtime } from "../runtime/runtime.ts";
import { openLmdbStore } from "../store/lmdb.ts";
import { openConnection, withoutCredentials } from "../wire/connection.ts";
import { packageRoot, packageVersion } from "./package.ts";
import { actorsOption, parsePort, prefixOption } from "./parse.ts";

interface StartOptions {
  readonly data: string;
  readonly nats?: string;
  /** Where `nats` was named. */
  readonly brokerFrom: "--nats" | "RETRACE_NATS";
  readonly port: number;
  readonly actors: readonly string[];
  readonly prefix: string;
  readonly logLevel: string;
}

/** Adds the verb to the program. */
export function registerStart(program: CliCommand): void {
  program
    .command("start")
    .description("serve: take commands, keep the log, relay the events")
    .addOption(
      new Option("--data <dir>", "folder of the log and of the embedded broker").default("./data").env("RETRACE_DATA"),
    )
    .addOption(new Option("--nats <url>", "use this broker instead of an embedded one").env("RETRACE_NATS"))
    .addOption(
      new Option("--port <n>", "port of the embedded broker on 127.0.0.1, 0 for a free one")
        .default(4222)
        .argParser(parsePort)
        .env("RETRACE_PORT"),
    )
    .addOption(actorsOption())
    .addOption(prefixOption())
    .addOption(
      new Option("--log-level <level>", "of the log on stderr")
        .choices(["debug", "info", "warn", "error", "silent"])
        .default("info")
        .env("RETRACE_LOG_LEVEL"),
    )
    .addHelpText("after", "\nExample:\n  $ retrace start --data ./data --port 4222\n")
    .action((options: StartOptions, command: CliCommand) => {
      refusePortBesideBroker(command);
      const isFromEnvironment = command.getOptionValueSource("nats") === "env";
      return start({ ...options, brokerFrom: isFromEnvironment ? "RETRACE_NATS" : "--nats" });
    });
}

/** A port that is typed asks for a broker of its own; one from the environment is only a default. */
function refusePortBesideBroker(command: CliCommand): void {
  const from = command.getOptionValueSource("nats");
  if (command.getOptionValueSource("port") !== "cli" || from === undefined) return;
  const named = from === "env" ? "RETRACE_NATS, which is set here," : "--nats";
  const way = from === "env" ? "unset it, or leave out --port" : "give one of the two";
  command.error(`error: --port is that of the embedded broker, which ${named} replaces: ${way}`);
}

/** What has been opened, closed in the reverse order. */
interface Opened {
  broker?: EmbeddedBroker;
  store?: EventStore;
  nats?: NatsConnection;
  runtime?: Runtime;
}

async function start(options: StartOptions): Promise<void> {
  const log = openLog(options.logLevel);
  const opened: Opened = {};
  const stopped = stopOnSignal(opened, log);
  try {
    await open(opened, options, log);
  } catch (error) {
    await close(opened, 0).catch(() => {});
    throw error;
  }
  stopped.arm();
}

async function open(opened: Opened, options: StartOptions, log: Log): Promise<void> {
  const data = resolve(options.data);
  const actors = await loadActors([builtInActors, ...options.actors]);
  const clock = systemClock();
  if (options.nats === undefined) {
    opened.broker = await startEmbeddedBroker({
      dataDir: data,
      port: options.port,
      confPath: join(packageRoot, "nats.conf"),
      notice: (line) => log.info(line),
    });
  }
  opened.store = openLmdbStore({ path: join(data, "log"), newId: clock.newId });
  const url = opened.broker?.url ?? (options.nats as string);
  if (options.nats !== undefined)
    log.info(`joining the broker ${withoutCredentials(url)}, which ${options.brokerFrom} names`);
  opened.nats = await openConnection({
    servers: url,
    name: "retrace",
    advice: `${options.brokerFrom} names it; without, start brings its own`,
  });
  assertServerVersion(opened.nats.info?.version ?? "0");
  watch(opened.nats, log);
  const { store, nats } = opened;
  opened.runtime = await createRuntime({
    store,
    nats,
    actors,
    prefix: options.prefix,
    clock,
    log,
    version: packageVersion,
  });

  const ready = { ready: true, nats: withoutCredentials(url), data, pid: process.pid, position: store.position() };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  if (process.stderr.isTTY) process.stderr.write(welcome(url));
  else announce(log, [...actors.aggregates.keys()]);
}

/** Connection trouble is the log's business: the client reconnects by itself, the relay waits. */
async function watch(nats: NatsConnection, log: Log): Promise<void> {
  for await (const { type } of nats.status()) {
    if (type === "disconnect") log.warn("the connection to the broker is lost; reconnecting");
    if (type === "reconnect") log.info("connected to the broker again");
  }
}

const nextSteps = [
  `npx retrace send dataset d1 IngestData '{"source":{"name":"readme"},"rowCount":3}'`,
  "npx retrace state dataset d1",
  "npx retrace tail --from start",
  "npx retrace --help",
];

/** A line for each hint, so that a log can be read and copied from. */
function announce(log: Log, categories: readonly string[]): void {
  log.info({ categories }, "serving");
  for (const step of nextSteps) log.info(`try: ${step}`);
}

function welcome(url: string): string {
  const commands = nextSteps.map((step) => `  ${step}`).join("\n");
  return `\nRetrace is serving on ${withoutCredentials(url)}. In another terminal:\n${commands}\n`;
}

function stopOnSignal(opened: Opened, log: Log): { arm(): void } {
  let isArmed = false;
  let signalled: NodeJS.Signals | undefined;
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    log.info({ signal }, "stopping: finishing what was accepted");
    const isDrained = await close(opened, 10_000).catch((error) => {
      log.error({ err: error }, "stopping did not go cleanly; the log is safe");
      return true;
    });
    if (!isDrained) log.warn("the broker did not take all events in time; they follow after the next start");
    process.exit(0);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (signalled !== undefined) process.exit(1);
    signalled = signal;
    if (isArmed) void stop(signal);
    else log.info({ signal }, "stopping as soon as the start is done; a second signal ends it at once");
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return {
    arm: () => {
      isArmed = true;
      if (signalled !== undefined) void stop(signalled);
    },
  };
}

async function close(opened: Opened, drainMs: number): Promise<boolean> {
  const isDrained = (await opened.runtime?.close({ drainMs })) ?? true;
  await opened.nats?.close();
  await opened.store?.close();
  await opened.broker?.close();
  return isDrained;
}
