/** What tests of imports work with: a built runtime, a folder for files, and what the history says afterwards. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Client, connect, type RecordedEvent } from "retrace";
import { afterAll, beforeAll } from "vitest";
import { type RuntimeChild, startRuntime } from "../../actors/verbs/demo/runtime-child.ts";
import { eventually } from "../support/eventually.ts";
import { tempDir } from "../support/temp.ts";
import { cli, type Ended, type Running, root, startCli } from "./built-cli.ts";

const shared = process.env.RETRACE_SHARED_DATA ?? fileURLToPath(new URL("../../../shared/data", import.meta.url));

/** The path of a real file. */
export function realFile(path: string): string {
  return join(shared, path);
}

/** Why tests against real files are skipped; undefined when all of them are there. */
export function absentFile(paths: readonly string[]): string | undefined {
  const absent = paths.map(realFile).find((path) => !existsSync(path));
  if (absent === undefined) return undefined;
  const reason = `no real file at ${absent} (set RETRACE_SHARED_DATA)`;
  console.warn(`skipped: ${reason}`);
  return reason;
}

/** A runtime and a folder for one kind of import. */
export class ImportSetting {
  readonly #kind: string;
  readonly folder: string;
  #runtime: RuntimeChild | undefined;
  #client: Client | undefined;

  /** Begins before the tests of the file and ends behind them. */
  constructor(kind: string) {
    this.#kind = kind;
    this.folder = tempDir(`retrace-${kind}-`);
    beforeAll(async () => {
      this.#runtime = await startRuntime(root, tempDir(`retrace-${kind}-data-`));
      this.#client = await connect({ servers: this.#runtime.nats });
    });
    afterAll(async () => {
      await this.#client?.close();
      await this.#runtime?.stop();
    });
  }

  get client(): Client {
    if (this.#client === undefined) throw new Error("the runtime does not serve yet");
    return this.#client;
  }

  /** `retrace import <kind> ...`, to its end. */
  import(...args: readonly string[]): Promise<Ended> {
    return cli("import", this.#kind, ...args, "--nats", this.nats);
  }

  /** The same, for a test that does not wait for the end. */
  start(...args: readonly string[]): Running {
    return startCli(["import", this.#kind, ...args, "--nats", this.nats]);
  }

  /**
   * Starts an import again and again, and kills it when so many events have been added; at least once before its end. Returns
   * when what the dead had sent is in the log as well.
   */
  async killAt(counts: readonly number[], ...args: readonly string[]): Promise<void> {
    const before = await this.head();
    let kills = 0;
    for (const count of counts) {
      const { child, ended } = this.start(...args);
      while ((await this.head()) < before + count && child.exitCode === null);
      child.kill("SIGKILL");
      const { code } = await ended;
      if (code === null) kills += 1;
    }
    if (kills === 0) throw new Error("the import always came to its end before it was killed");
    let head = -1;
    await eventually("what was sent is in the log", async () => {
      const known = head;
      head = await this.head();
      await delay(100);
      return known === head;
    });
  }

  /** What it told programs, file by file. */
  async json(...args: readonly string[]): Promise<Record<string, unknown>[]> {
    const { stdout } = await this.import("--json", ...args);
    const lines = stdout.trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  write(name: string, content: string | readonly string[]): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === "string" ? content : `${content.join("\n")}\n`);
    return path;
  }

  /** The position of the last event. */
  async head(): Promise<number> {
    return (await this.client.query<{ position: number }>("health")).position;
  }

  /** The events of a stream. */
  async history(category: string, id: string): Promise<RecordedEvent[]> {
    const events: RecordedEvent[] = [];
    for (let fromVersion: number | null = 1; fromVersion !== null; ) {
      const page = await this.client.history(category, id, { fromVersion, limit: 1000 });
      events.push(...page.events);
      fromVersion = page.next;
    }
    return events;
  }

  /** What a stream says, its events in order; of claims only whose they are, because they end by the clock. */
  async content(category: string, id: string): Promise<{ type: string; data: unknown }[]> {
    return (await this.history(category, id)).map(({ type, data }) =>
      type === "ReviewClaimed" ? { type, data: (data as { reviewer: string }).reviewer } : { type, data },
    );
  }

  /** All events that came of a file. */
  async eventsOf(file: string): Promise<RecordedEvent[]> {
    const correlationId = `import-${createHash("sha256").update(readFileSync(file)).digest("hex")}`;
    const events: RecordedEvent[] = [];
    for (let afterPosition: number | null = 0; afterPosition !== null; ) {
      const page = await this.client.events({ correlationId, afterPosition, limit: 1000 });
      events.push(...page.events);
      afterPosition = page.next;
    }
    return events;
  }

  /** Where its broker listens. */
  get nats(): string {
    if (this.#runtime === undefined) throw new Error("the runtime does not serve yet");
    return this.#runtime.nats;
  }
}

/** The cells of a table's lines behind its header, by name. */
export function tableOf(file: string): Record<string, string>[] {
  const [header = "", ...lines] = readFileSync(file, "utf8").replace(/\n$/, "").split("\n");
  return lines.map((line) => Object.fromEntries(line.split("\t").map((cell, i) => [header.split("\t")[i], cell])));
}
