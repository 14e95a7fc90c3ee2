/** Starts `child.ts`: from its source, so that no build can be out of date. What a test leaves running is killed behind it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";

const jiti = join(dirname(createRequire(import.meta.url).resolve("jiti/package.json")), "lib", "jiti-cli.mjs");
const child = fileURLToPath(new URL("child.ts", import.meta.url));

/** A running child, and all that it has told so far. */
export interface StoreProcess {
  readonly told: Readonly<Record<string, unknown>>[];
  /** Resolves when it has told at least so many messages. @throws when it ends before. */
  hasTold(count: number): Promise<void>;
  say(line: string): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Resolves with its exit status, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

const running = new Set<ChildProcess>();

afterEach(() => {
  for (const process of running) process.kill("SIGKILL");
});

/** Starts a child in one of its modes; resolves when its store is open. */
export async function startStoreProcess(
  mode: "race" | "write" | "fill",
  path: string,
  count = 0,
): Promise<StoreProcess> {
  const process = spawn(globalThis.process.execPath, [jiti, child, mode, path, String(count)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  running.add(process);
  const told: Record<string, unknown>[] = [];
  let tellAll = (): void => {};
  const output = createInterface({ input: process.stdout });
  output.on("line", (line) => {
    told.push(JSON.parse(line));
    tellAll();
  });
  const ended = endOf(process, once(output, "close"));
  const hasTold = async (count: number): Promise<void> => {
    while (told.length < count) {
      const more = new Promise<void>((resolve) => {
        tellAll = resolve;
      });
      const end = await Promise.race([more, ended]);
      if (end !== undefined && told.length < count) throw new Error(`the process ended with ${end}`);
    }
  };
  await hasTold(1);
  return {
    told,
    hasTold,
    say: (line) => void process.stdin.write(`${line}\n`),
    kill: async () => {
      process.kill("SIGKILL");
      await ended;
    },
    ended,
  };
}

async function endOf(process: ChildProcess, outputEnd: Promise<unknown>): Promise<number | string> {
  const [[status, signal]] = await Promise.all([once(process, "exit"), outputEnd]);
  running.delete(process);
  return status ?? signal;
}
