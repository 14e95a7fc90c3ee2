/** `retrace new`: what it writes works, whatever its name, and what it refuses leaves no trace. */
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { tempDir } from "../support/temp.ts";
import { type Ended, root, runCli } from "./run-cli.ts";

const run = promisify(execFile);

function newActor(kind: string, name: string, dir: string, ...options: readonly string[]): Promise<Ended> {
  return runCli(["new", kind, name, "--dir", dir, ...options]);
}

function newAggregate(name: string, dir: string, ...options: readonly string[]): Promise<Ended> {
  return newActor("aggregate", name, dir, ...options);
}

function filesOf(name: string): string[] {
  return [`actors/aggregates/${name}.ts`, `schemas/${name}.ts`, `test/${name}.test.ts`];
}

function filesOfFollower(kind: "saga" | "projection", name: string): string[] {
  return [`actors/${kind}s/${name}.ts`, `test/${kind}s/${name}.test.ts`];
}

/** All files below a folder. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

describe("what it writes", () => {
  const longest = `${"nine-ltrs-".repeat(5)}seven`;
  /** Of an aggregate, of a saga that listens to it, and of a projection. */
  const usual = [
    ["x2", "y3", "z4"],
    ["class", "function", "enum"],
    ["experiment", "publisher", "titles"],
    ["labelled-image-batch", "labelled-image-batch", "labelled-image-batch"],
  ] as const;
  const names = [...usual, [longest, `${longest}-and-saga`, `${longest}-and-rows`] as const];
  const filesOfAll = (all: typeof names | typeof usual): string[] =>
    all.flatMap(([aggregate, saga, projection]) => [
      ...filesOf(aggregate),
      ...filesOfFollower("saga", saga),
      ...filesOfFollower("projection", projection),
    ]);
  const project = tempDir();
  const written = { code: 0, stderr: "" };

  beforeAll(async () => {
    expect(await newActor("saga", "nagging", project)).toMatchObject(written);
    for (const [aggregate, saga, projection] of names) {
      expect(await newAggregate(aggregate, project)).toMatchObject(written);
      expect(await newActor("saga", saga, project, "--aggregate", aggregate)).toMatchObject(written);
      expect(await newActor("projection", projection, project, "--aggregate", aggregate)).toMatchObject(written);
    }
    mkdirSync(join(project, "node_modules"));
    for (const name of ["xstate", "zod", "typescript", "vitest", "@types", "@nats-io"]) {
      symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
    }
    symlinkSync(root, join(project, "node_modules", "retrace"));
    writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
  });

  test("is an actor and its test, and of an aggregate its schemas", () => {
    const own = filesIn(project).filter((file) => file.endsWith(".ts") && !file.startsWith("node_modules"));
    const nagging = [...filesOf("nagging-item"), ...filesOfFollower("saga", "nagging")];
    expect(own).toEqual([...nagging, ...filesOfAll(names)].sort());
    for (const file of own) expect(readFileSync(join(project, file), "utf8")).not.toMatch(/sample[- ]?/i);
  });

  test("passes its test", async () => {
    const vitest = [join(root, "node_modules/vitest/vitest.mjs"), "run", "--no-color"];
    const own = Object.entries(process.env).filter(([name]) => !/^(VITE|NODE_|TEST$)/.test(name));
    const { stdout } = await run(process.execPath, vitest, { cwd: project, env: Object.fromEntries(own) });
    expect(stdout).toMatch(/Test Files +17 passed \(17\)/);
    expect(stdout).toMatch(/Tests +93 passed \(93\)/);
  });

  test("fits the types of the package, as strictly as the compiler can", async () => {
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const options = ["--module", "nodenext", "--types", "node", "--noEmit", "--allowImportingTsExtensions"];
    const strictness = ["--noUnusedLocals", "--noUnusedParameters", "--noImplicitReturns", "--erasableSyntaxOnly"];
    await run(process.execPath, [tsc, "--init", ...options, ...strictness], { cwd: project });
    const { stdout } = await run(process.execPath, [tsc, "--pretty", "false"], { cwd: project }).catch(
      (error) => error,
    );
    expect(stdout).toBe("");
  });

  test("keeps the rules of the loader", async () => {
    const { stdout, stderr } = await runCli(["chart", "nagging-item", "--actors", join(project, "actors")]);
    expect(stderr).toBe("");
    expect(stdout).toContain("NaggingItemDrafted");
  });

  test.each(filesOfAll(usual))("is formatted and linted: %s", (file) => {
    const text = readFileSync(join(project, file), "utf8");
    const args = [join(root, "node_modules/@biomejs/biome/bin/biome"), "check", "--write", `--stdin-file-path=${file}`];
    const { stdout } = spawnSync(process.execPath, args, { cwd: root, input: text, encoding: "utf8" });
    expect(stdout).toBe(text);
  });
});

describe("it tells", () => {
  test("people what was written, what the project needs, and what comes next", async () => {
    const dir = tempDir();
    const { stdout } = await newAggregate("annotation-guide", dir);

    expect(stdout).toContain("wrote ");
    for (const line of [
      "  npm init -y",
      "  npm pkg set type=module",
      "  npm install retrace xstate zod",
      "  npm install --save-dev typescript @types/node vitest@4",
      "  npx vitest run test/annotation-guide.test.ts",
      "  npx retrace start --actors ./actors",
      `  npx retrace send annotation-guide x1 DraftAnnotationGuide '{"title": "first"}'`,
    ]) {
      expect(stdout.split("\n")).toContain(line);
    }
  });

  test("programs the same, as JSON", async () => {
    const dir = tempDir();
    const { stdout } = await newAggregate("experiment", dir, "--json");
    const report = JSON.parse(stdout) as { next: string[] };

    expect(report).toMatchObject({ kind: "aggregate", name: "experiment", folder: dir, files: filesOf("experiment") });
    expect(report.next).toContain("npx retrace state experiment x1");
  });

  test.each([
    ["saga", "npx retrace saga show publisher x1"],
    ["projection", "npx retrace projection rows publisher"],
  ])("of a %s what uses it, and of the aggregate that came with it", async (kind, use) => {
    const dir = tempDir();
    const { stdout } = await newActor(kind, "publisher", dir, "--json");
    const report = JSON.parse(stdout) as { files: string[]; next: string[] };

    expect(report.files).toEqual([
      ...filesOf("publisher-item"),
      ...filesOfFollower(kind as "saga" | "projection", "publisher"),
    ]);
    expect(report.next).toEqual([
      "npx vitest run test/publisher-item.test.ts",
      `npx vitest run test/${kind}s/publisher.test.ts`,
      "npx retrace start --actors ./actors",
      `npx retrace send publisher-item x1 DraftPublisherItem '{"title": "first"}'`,
      use,
    ]);
  });

  test("nothing of needs where there are none, though they lie above", async () => {
    const above = tempDir();
    for (const name of ["retrace", "xstate", "zod", "typescript", "@types/node", "vitest"]) {
      mkdirSync(join(above, "node_modules", name), { recursive: true });
      writeFileSync(join(above, "node_modules", name, "package.json"), "{}");
    }
    writeFileSync(join(above, "package.json"), JSON.stringify({ type: "module" }));
    writeFileSync(join(above, "tsconfig.json"), "{}");
    const { stdout } = await newAggregate("experiment", join(above, "packages", "mine"), "--json");

    expect(JSON.parse(stdout)).toMatchObject({ needs: [] });
  });

  test("only of what is missing", async () => {
    const dir = tempDir();
    writeFileSync(join(dir, "package.json"), JSON.stringify({ type: "commonjs" }));
    writeFileSync(join(dir, "tsconfig.json"), "{}");
    mkdirSync(join(dir, "node_modules", "zod"), { recursive: true });
    writeFileSync(join(dir, "node_modules", "zod", "package.json"), "{}");
    const { stdout } = await newAggregate("experiment", dir, "--json");
    const { needs } = JSON.parse(stdout) as { needs: string[] };

    expect(needs).toEqual([
      "npm pkg set type=module",
      "npm install retrace xstate",
      "npm install --save-dev typescript @types/node vitest@4",
    ]);
  });

  test("its examples in --help", async () => {
    const { code, stdout } = await runCli(["new", "--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples:\n {2}\$ retrace new aggregate experiment\n/);
  });
});

describe("nothing is written, and the status is 1,", () => {
  test("when any of the files is there: they are listed", async () => {
    const dir = tempDir();
    mkdirSync(join(dir, "schemas"));
    writeFileSync(join(dir, "schemas", "experiment.ts"), "mine");
    const ended = await newAggregate("experiment", dir, "--json");

    expect(ended.code).toBe(1);
    expect(ended.stderr).toBe("retrace: schemas/experiment.ts is there already; nothing was written\n");
    expect(JSON.parse(ended.stdout)).toMatchObject({ existing: ["schemas/experiment.ts"] });
    expect(filesIn(dir)).toEqual(["schemas/experiment.ts"]);
    expect(readFileSync(join(dir, "schemas", "experiment.ts"), "utf8")).toBe("mine");
  });

  test("when one of several cannot be: those before it are gone again", async () => {
    const dir = tempDir();
    writeFileSync(join(dir, "schemas"), "a file where a folder should be");
    const { code, stdout, stderr } = await newAggregate("experiment", dir);

    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toBe(`retrace: ${join(dir, "schemas")} is a file: name a folder\n`);
    expect(readdirSync(dir)).toEqual(["schemas"]);
  });

  test.each([
    ["experiment.js", "experiment", /^retrace: the project has an aggregate experiment; .+\n$/],
    ["experiment.ts", "experiment-log", /^retrace: category experiment is a prefix of category experiment-log: .+\n$/],
    ["lab-notes.ts", "lab", /^retrace: category lab is a prefix of category lab-notes: .+\n$/],
  ])("beside %s for the name %s", async (file, name, says) => {
    const dir = tempDir();
    mkdirSync(join(dir, "actors", "aggregates"), { recursive: true });
    writeFileSync(join(dir, "actors", "aggregates", file), "");
    const { code, stdout, stderr } = await newAggregate(name, dir);

    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(says);
    expect(filesIn(dir)).toEqual([`actors/aggregates/${file}`]);
  });

  describe("for a saga or a projection", () => {
    const refused = async (dir: string, kind: string, ...args: readonly string[]): Promise<string> => {
      const before = filesIn(dir);
      const { code, stdout, stderr } = await runCli(["new", kind, ...args, "--dir", dir]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(filesIn(dir)).toEqual(before);
      return stderr;
    };

    test("that does not say which of the project's aggregates it listens to", async () => {
      const dir = tempDir();
      await newAggregate("experiment", dir);
      await newAggregate("annotation-guide", dir);
      expect(await refused(dir, "saga", "publisher")).toBe(
        `retrace: name the aggregate that the saga listens to: --aggregate annotation-guide, or --aggregate experiment\n`,
      );
    });

    test.each(["training-run", "../x"])("about %s, which is not there", async (aggregate) => {
      expect(await refused(tempDir(), "saga", "publisher", "--aggregate", aggregate)).toBe(
        `retrace: the project has no aggregate ${aggregate}; name one that this verb has written: retrace new aggregate NAME\n`,
      );
    });

    test("about an aggregate that is not as it was written any more", async () => {
      const dir = tempDir();
      await newAggregate("experiment", dir);
      const schemas = join(dir, "schemas", "experiment.ts");
      writeFileSync(schemas, readFileSync(schemas, "utf8").replaceAll("ExperimentArchived", "ExperimentShelved"));
      expect(await refused(dir, "saga", "publisher", "--aggregate", "experiment")).toMatch(
        /^retrace: schemas\/experiment\.ts lacks ExperimentArchived: name an aggregate that is as .+\n$/,
      );
    });

    test.each(["saga", "projection"])("of a name that the project has: %s", async (kind) => {
      const dir = tempDir();
      await newAggregate("experiment", dir);
      mkdirSync(join(dir, "actors", `${kind}s`));
      writeFileSync(join(dir, "actors", `${kind}s`, "publisher.js"), "");
      expect(await refused(dir, kind, "publisher", "--aggregate", "experiment")).toBe(
        `retrace: the project has a ${kind} publisher; choose another name\n`,
      );
    });

    test("whose own aggregate would have a name that cannot be", async () => {
      expect(await refused(tempDir(), "projection", "dataset")).toMatch(
        /category dataset is a prefix of category dataset-item/,
      );
    });
  });

  test("for a saga whose name begins that of another", async () => {
    const dir = tempDir();
    await newActor("saga", "publisher", dir);
    const { code, stderr } = await newActor("saga", "publisher-two", dir, "--aggregate", "publisher-item");
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^retrace: saga publisher is a prefix of saga publisher-two: .+\n$/),
    });
  });
});

describe("wrong usage ends with 2 and says on stderr what is right:", () => {
  test.each<[string, readonly string[], RegExp]>([
    ["no name", ["aggregate"], /missing required argument 'name'/],
    ["a kind that is none", ["widget", "x"], /aggregate, saga, projection/],
    ["a name in capitals", ["aggregate", "Experiment"], /kebab-case, like annotation-guide/],
    ["a name with a path", ["aggregate", "../x"], /kebab-case/],
    ["a name that begins with a digit", ["aggregate", "2nd"], /kebab-case/],
    ["a name that is too long", ["aggregate", "a".repeat(56)], /too long: at most 55/],
    ["a name of the runtime", ["aggregate", "saga"], /name of the runtime/],
    ["a name that begins like it", ["aggregate", "saga-log"], /name of the runtime/],
    ["a saga's name in capitals", ["saga", "Publisher"], /kebab-case, like annotation-guide/],
    ["a saga's name that is too long", ["saga", "a".repeat(65)], /too long: at most 64/],
    ["a built-in saga", ["saga", "review-routing"], /built-in saga, .+choose another name/],
    ["the beginning of a built-in saga", ["saga", "review"], /saga review is a prefix of saga review-routing/],
    ["a built-in projection", ["projection", "review-queue"], /built-in projection, .+choose another name/],
    ["an aggregate about another", ["aggregate", "x", "--aggregate", "y"], /leave --aggregate out/],
    ["a built-in aggregate", ["aggregate", "dataset"], /built-in.+choose another name/],
    ["the beginning of a built-in one", ["aggregate", "training"], /prefix of category training-run/],
    ["a name that a built-in one begins", ["aggregate", "dataset-card"], /dataset is a prefix of category/],
  ])("%s", async (_, args, says) => {
    const dir = join(tempDir(), "project");
    const { code, stdout, stderr } = await runCli(["new", ...args, "--dir", dir]);

    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(says);
    expect(existsSync(dir)).toBe(false);
  });
});
