import { execFile } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { blocksOf, commandsOf, filesOf } from "./blocks.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const jiti = join(root, "node_modules/jiti/lib/jiti-cli.mjs");
const readme = blocksOf(join(root, "README.md"));
const files = filesOf(readme);
const project = tempDir("retrace-readme-");
let url = "";

/** A user's project: the files of the README, and the package as npm would have installed it. */
beforeAll(async () => {
  for (const [name, text] of files) {
    mkdirSync(dirname(join(project, name)), { recursive: true });
    writeFileSync(join(project, name), text);
  }
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", type: "module" }));
  mkdirSync(join(project, "node_modules", ".bin"), { recursive: true });
  for (const name of ["xstate", "zod", "@types", "@nats-io"]) {
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
  }
  symlinkSync(root, join(project, "node_modules", "retrace"));
  const dataDir = join(project, "data");
  url = (await startRuntime({ dataDir, args: ["--actors", join(project, "actors")] })).url;
});

const environment = () => ({ ...process.env, RETRACE_NATS: url, EMBED_DATA: join(project, "embedded") });

async function shell(command: string): Promise<string> {
  const line = command.replace(/\bnpx retrace\b/, `"${process.execPath}" "${join(root, "dist/src/main.js")}"`);
  return (await run("sh", ["-c", line], { cwd: project, env: environment() })).stdout;
}

async function script(file: string): Promise<string> {
  return (await run(process.execPath, [jiti, join(project, file)], { cwd: project, env: environment() })).stdout;
}

test("every shell command works as written", async () => {
  const commands = readme.filter(({ language }) => language === "sh").flatMap(commandsOf);
  const isOurs = (command: string): boolean => /(^|\| )npx retrace /.test(command);
  expect(commands.filter((command) => !isOurs(command))).toEqual(["npm start", "npm test"]);
  for (const command of commands.filter(isOurs)) await shell(command);

  const repeated = await shell(`npx retrace state training-run r1 --json`);
  expect(JSON.parse(repeated)).toMatchObject({ version: 3, state: { value: "completed" } });
});

test("the files typecheck against the package as it is shipped", async () => {
  expect(await typecheck({ skipLibCheck: true })).toEqual([]);
  // What other packages declare is not ours to mend.
  const declared = await typecheck({ skipLibCheck: false });
  expect(declared.filter((line) => resolve(project, line).startsWith(join(root, "dist")))).toEqual([]);
});

/** What the compiler says about the project, a line each, with paths from the project. */
async function typecheck(strictness: { readonly skipLibCheck: boolean }): Promise<string[]> {
  const options = {
    module: "NodeNext",
    target: "ES2023",
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    types: ["node"],
  };
  const config = { compilerOptions: { ...options, ...strictness }, files: [...files.keys()] };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify(config));
  const tsc = [join(root, "node_modules/typescript/bin/tsc"), "-p", project, "--pretty", "false"];
  const { stdout } = await run(process.execPath, tsc, { cwd: project }).catch((error) => error as { stdout: string });
  return stdout.split("\n").filter((line) => line !== "");
}

test("the client's program runs, its conflict is a conflict, and a second run changes nothing", async () => {
  expect(await script("train.ts")).toBe("refused: the run is at version 4\nrunning 3\n");
  expect(await script("train.ts")).toBe("refused: the run is at version 4\nrunning 3\n");
});

test("the program with many commands, an update and an object runs", async () => {
  expect(await script("more.ts")).toBe("300000\n");
});

test("the pipeline over the past runs, and its projection in the shadow of another", async () => {
  expect(await script("replay.ts")).toMatch(/^\d+ steps; (\d+) of \1 rows would differ\n$/);
});

test("the new aggregate passes its own test", async () => {
  expect(await script("test/annotation-guide.ts")).toBe("");
});

test("the new aggregate serves from a folder outside of src", async () => {
  await shell(`npx retrace send annotation-guide g1 DraftGuide '{"text": "label every line"}'`);
  const reply = await shell(`npx retrace send annotation-guide g1 PublishGuide '{"version": "1"}' --json`);
  expect(JSON.parse(reply)).toMatchObject({ version: 2, state: { value: "published" } });
});

test("the library serves inside another program", async () => {
  expect((await script("embed.ts")).trim().split("\n").sort()).toEqual(["1", "1 annotation-guide-g1 GuideDrafted"]);
});
