/** Runs a TypeScript file of the tests as a process of its own, which talks to the test in lines. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

/** A running script. */
export interface ScriptProcess {
  readonly pid: number;
  /** The next line the script prints on stdout; rejects when the script ends before. */
  nextLine(): Promise<string>;
  /** Writes one line to the script's stdin. */
  send(line: string): void;
  /** Ends the script and waits. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

const jiti = fileURLToPath(new URL("../../node_modules/jiti/lib/jiti-cli.mjs", import.meta.url));
const running = new Set<ScriptProcess>();

/** Starts `script`, a path below `test/broker`; it is killed after the last test of the file. */
export function runTypeScript(script: string, args: readonly string[] = []): ScriptProcess {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [jiti, path, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const started: ScriptProcess = {
    pid: child.pid ?? 0,
    nextLine: async () => {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${script} ended without a further line`);
      return value;
    },
    send: (line) => void child.stdin.write(`${line}\n`),
    kill: (signal = "SIGKILL") => killAndWait(child, signal, exited),
  };
  running.add(started);
  return started;
}

async function killAndWait(child: ChildProcess, signal: NodeJS.Signals, exited: Promise<unknown>): Promise<void> {
  child.kill(signal);
  await exited;
}

afterAll(async () => {
  await Promise.all([...running].map((started) => started.kill()));
  running.clear();
});
