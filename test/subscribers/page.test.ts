/** SUBSCRIBERS.md: the program compiles against the package and runs, and so do the commands. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { root, runCli } from "../cli/run-cli.ts";
import { blocksOf, commandsOf, filesOf } from "../docs/blocks.ts";
import { eventually } from "../support/eventually.ts";
import { tempDir } from "../support/temp.ts";
import { recordRun, type Setting, startSetting, subscribeNoting } from "./setting.ts";

const run = promisify(execFile);
const page = blocksOf(join(root, "SUBSCRIBERS.md"));
const files = filesOf(page);
const project = tempDir("retrace-subscribers-");
let setting: Setting;

beforeAll(async () => {
  for (const [name, text] of files) writeFileSync(join(project, name), text);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", type: "module" }));
  mkdirSync(join(project, "node_modules"), { recursive: true });
  for (const name of ["zod", "@types", "@nats-io"]) {
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
  }
  symlinkSync(root, join(project, "node_modules", "retrace"));
  setting = await startSetting();
});

test("the program typechecks against the package as it is shipped", async () => {
  expect([...files.keys()]).toEqual(["subscribe.ts"]);
  const options = {
    module: "NodeNext",
    target: "ES2023",
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ["node"],
  };
  const config = { compilerOptions: options, files: [...files.keys()] };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify(config));
  const tsc = [join(root, "node_modules/typescript/bin/tsc"), "-p", project, "--pretty", "false"];
  const { stdout } = await run(process.execPath, tsc, { cwd: project }).catch((error) => error as { stdout: string });
  expect(stdout).toBe("");
});

test("the program handles an event, and ends when it is told to", async () => {
  const { client, nats } = setting;
  await recordRun(client, "r1", 2);
  const data = { finalMetrics: { accuracy: 0.93 } };
  const { position } = await client.send("training-run", "r1", { type: "CompleteTraining", data });
  const jiti = join(root, "node_modules/jiti/lib/jiti-cli.mjs");
  const child = spawn(process.execPath, [jiti, join(project, "subscribe.ts")], {
    cwd: project,
    env: { ...process.env, RETRACE_NATS: nats.url },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  try {
    const [line] = await Promise.race([
      once(createInterface({ input: child.stdout }), "line"),
      ended.then(([code]) => Promise.reject(new Error(`it ended with ${code}`))),
    ]);
    expect(line).toBe(`${position} training-run-r1 { accuracy: 0.93 }`);
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  } finally {
    child.kill("SIGKILL");
  }
});

test("every command works as written", async () => {
  const { client, nats } = setting;
  await recordRun(client, "r2", 30);
  const { subscription } = await subscribeNoting(
    client,
    { name: "leaderboard", canChangeFilters: true, maxDeliver: 1 },
    () => {
      throw new Error("no");
    },
  );
  await eventually("there are dead letters", () => subscription.status.parked >= 25);
  await subscription.close();
  const commands = page.filter(({ language }) => language === "sh").flatMap(commandsOf);
  expect(commands).toHaveLength(4);
  for (const command of commands) {
    const [npx, retrace, ...args] = command.split(" ");
    expect([npx, retrace]).toEqual(["npx", "retrace"]);
    const ran = await runCli(args, { env: { RETRACE_NATS: nats.url } });
    expect({ command, ...ran }).toMatchObject({ command, code: 0, stderr: "" });
    expect(ran.stdout).not.toBe("");
  }
});
