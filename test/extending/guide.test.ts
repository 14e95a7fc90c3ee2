/** EXTENDING.md, followed step by step in an empty folder, with the package as npm packs it and installs it. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Reaper, reapOnDeath } from "../../src/broker/reaper.ts";
import { type Block, blocksOf } from "../docs/blocks.ts";
import { eventually } from "../support/eventually.ts";
import { embeddedBrokerEnded, type ReadyLine } from "../support/runtime-process.ts";
import { tempDir } from "../support/temp.ts";
import { npmEnvironment, type Packed, packRetrace, type Registry, serveRegistry } from "./registry.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const project = tempDir("retrace-guide-");
const blocks = blocksOf(join(root, "EXTENDING.md"));
let packed: Packed;
let registry: Registry;
let environment: NodeJS.ProcessEnv;
let npx: ChildProcess | undefined;
let served: { readonly ready: ReadyLine; readonly reaper: Reaper } | undefined;

beforeAll(async () => {
  packed = await packRetrace();
  registry = await serveRegistry(packed);
  environment = npmEnvironment(registry.url);
});

afterAll(async () => {
  registry?.close();
  await stop();
});

/** Ends what serves, as somebody at its terminal would. */
async function stop(): Promise<void> {
  if (npx === undefined) return;
  const { exitCode, pid } = npx;
  // npx does not pass a signal on, so the runtime gets it; where it never served, all that npx began.
  if (exitCode === null)
    process.kill(served?.ready.pid ?? -(pid as number), served === undefined ? "SIGKILL" : "SIGTERM");
  await eventually("the runtime has ended", () => npx?.exitCode !== null || npx.signalCode !== null);
  served?.reaper.dismiss();
  if (served !== undefined) await embeddedBrokerEnded(served.ready.data);
  served = undefined;
  npx = undefined;
}

test("the package has the templates as source, and not as code to run", () => {
  const templates = packed.files.filter((path) => path.includes("templates/")).sort();
  expect(templates).toEqual([
    "src/cli/templates/actors/aggregates/sample-item.ts",
    "src/cli/templates/actors/projections/sample-projection.ts",
    "src/cli/templates/actors/sagas/sample-saga.ts",
    "src/cli/templates/schemas/sample-item.ts",
    "src/cli/templates/test/projections/sample-projection.test.ts",
    "src/cli/templates/test/sagas/sample-saga.test.ts",
    "src/cli/templates/test/sample-item.test.ts",
  ]);
  expect(packed.files).toContain("EXTENDING.md");
});

test("the guide begins in an empty folder", () => {
  expect(readdirSync(project)).toEqual([]);
});

describe("step by step", () => {
  test.each(
    blocks.map((block, index): [number, string, Block] => [index + 1, firstLine(block), block]),
  )("%i: %s", async (_number, _title, block) => {
    if (block.language === "ts") showOrWrite(block);
    else if (block.language === "diff") change(block);
    else for (const step of stepsOf(block)) await follow(step);
  });
});

function firstLine({ text }: Block): string {
  return text.slice(0, text.indexOf("\n"));
}

/** A block from a file is a part of what was generated; one that names a file is that file. */
function showOrWrite(block: Block): void {
  const [, from, path] = /^\/\/ (from )?(\S+\.ts)$/.exec(firstLine(block)) ?? [];
  if (path === undefined) throw new Error(`this block names no file in its first line: ${block.text}`);
  const file = join(project, path);
  const content = block.text.slice(firstLine(block).length + 1);
  if (from !== undefined) {
    expect(readFileSync(file, "utf8")).toContain(content);
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

/** A block of changes to one file: each begins at a line with @@, and what it takes the place of is there once. */
function change(block: Block): void {
  const file = join(project, firstLine(block).slice("// ".length));
  const changes = block.text.slice(firstLine(block).length + 1).split(/^@@.*\n/m);
  for (const lines of changes.map((text) => text.trimEnd().split("\n"))) {
    const side = (other: string): string =>
      lines.flatMap((line) => (line.startsWith(other) ? [] : [`${line.slice(1)}\n`])).join("");
    const parts = readFileSync(file, "utf8").split(side("+"));
    expect(parts, `${file} has this once:\n${side("+")}`).toHaveLength(2);
    writeFileSync(file, parts.join(side("-")));
  }
}

interface Step {
  readonly command: string;
  /**
   * The comment lines below the command: what it prints, with … for what differs from time to time. One that begins with
   * `retrace: ` is a refusal.
   */
  readonly output: readonly string[];
}

function stepsOf(block: Block): Step[] {
  const steps: { command: string; output: string[] }[] = [];
  for (const line of block.text.trimEnd().split("\n")) {
    if (line.startsWith("# ")) steps.at(-1)?.output.push(line.slice(2));
    else steps.push({ command: line.replace(/\s+# .*$/, ""), output: [] });
  }
  return steps;
}

async function follow({ command, output }: Step): Promise<void> {
  const isRefused = output.some((line) => line.startsWith("retrace: "));
  if (command.startsWith("npx retrace start")) {
    await stop();
    if (!isRefused) return await serve(command);
  }
  const { code, printed } = await shell(command);
  expect(code, `${command}\n${printed}`).toBe(isRefused ? 1 : 0);
  for (const line of output) expect(printed.split("\n")).toContainEqual(expect.stringMatching(patternOf(line)));
}

function patternOf(line: string): RegExp {
  const parts = line.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".+")}$`);
}

async function shell(command: string): Promise<{ readonly code: number; readonly printed: string }> {
  const child = spawn("sh", ["-c", command], {
    cwd: project,
    env: { ...environment, ...(command.startsWith("npx retrace start") ? ownBroker : { RETRACE_NATS: nats() }) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, printed: `${stdout}${stderr}` };
}

/** Without a runtime of the guide's own, no other may be reached by mistake. */
function nats(): string {
  return served?.ready.nats ?? "nats://127.0.0.1:9";
}

const ownBroker = { RETRACE_PORT: "0" };

async function serve(command: string): Promise<void> {
  const env = { ...environment, ...ownBroker };
  const stdio: StdioOptions = ["ignore", "pipe", "pipe"];
  npx = spawn("sh", ["-c", command], { cwd: project, env, stdio, detached: true });
  const stderr = text(npx.stderr as Readable);
  for await (const line of createInterface({ input: npx.stdout as Readable })) {
    const ready = JSON.parse(line) as ReadyLine;
    served = { ready, reaper: reapOnDeath(ready.pid) };
    return;
  }
  throw new Error(`${command} ended before it served:\n${await stderr}`);
}
