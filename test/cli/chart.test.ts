/** The verb chart: what it prints for people and for programs, without a runtime. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createMachine } from "xstate";
import { readMermaid } from "../core/mermaid.ts";
import { tempDir } from "../support/temp.ts";
import { type Ended, root, runCli } from "./run-cli.ts";

const nobody = { RETRACE_NATS: "nats://127.0.0.1:1" };

function chart(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return runCli(["chart", ...args], { env: { ...nobody, ...env } });
}

/** The pictures printed, each as Mermaid reads it. */
function pictures({ code, stdout, stderr }: Ended) {
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.trimEnd().split("\n\n").map(readMermaid);
}

type Machine = Parameters<typeof createMachine>[0] & {
  readonly meta: { readonly category?: string; readonly saga?: string; readonly part?: string };
};

/** The machine configs printed, one a line. */
function machines({ code, stdout, stderr }: Ended): Machine[] {
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Machine);
}

/** A folder of actors that finds this package as a user's project does. */
function project(category: string): string {
  const folder = tempDir();
  mkdirSync(join(folder, "aggregates"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "retrace"));
  for (const name of ["xstate", "zod"]) {
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
  writeFileSync(
    join(folder, "aggregates", `${category}.ts`),
    `
import { defineAggregate } from "retrace";
import { setup } from "xstate";
import { z } from "zod";
const machine = setup({}).createMachine({ id: "x", initial: "open", states: { open: { on: { Done: "open" } } } });
export default defineAggregate({
  category: "${category}",
  schemas: { commands: { Do: z.strictObject({}) }, events: { Done: z.looseObject({}) } },
  machine,
  decide: { Do: () => ({ type: "Done", data: {} }) },
});`,
  );
  return folder;
}

describe("chart", () => {
  test("prints the picture of a category, then those of its parts", async () => {
    const [model, version, ...others] = pictures(await chart(["model"]));

    expect(others).toEqual([]);
    expect(model?.title).toBe("model");
    expect([...(model?.states.keys() ?? [])]).toEqual(["empty", "created", "retired"]);
    expect(model?.arrows).toContainEqual({ from: "created", to: "retired", labels: ["ModelRetired"], block: "top" });
    expect(version?.title).toBe("model, each version");
    expect(version?.arrows).toContainEqual({
      from: "absent",
      to: "candidate",
      labels: ["ModelVersioned"],
      block: "top",
    });
  });

  test("prints several categories, each once, and all that there are", async () => {
    const [some, all] = await Promise.all([chart(["inference", "dataset", "inference"]), chart(["--all"])]);
    const titles = pictures(all).map(({ title }) => title);

    expect(pictures(some).map(({ title }) => title)).toEqual(["inference", "dataset"]);
    expect(titles).toEqual(
      expect.arrayContaining(["dataset", "model", "model, each version", "training-run", "saga model-promotion"]),
    );
  });

  test("prints for programs a machine config a line, from which XState makes the chart again", async () => {
    const [model, version] = machines(await chart(["model", "--json"]));

    expect(model?.meta).toEqual({ category: "model" });
    expect(version?.meta).toEqual({ category: "model", part: "version" });
    expect(model?.states?.created?.on).toMatchObject({
      DeploymentRolledBack: { guard: "bothAccept", actions: ["foldVersion", "foldSuccessor", "rollBack"] },
    });
    expect(createMachine(version as Machine).events).toContain("ModelVersioned");
  });

  test("prints sagas with what they send, and for programs says whose chart it is", async () => {
    const [[saga, ...others], [machine]] = await Promise.all([
      chart(["agent-rollback"]).then(pictures),
      chart(["agent-rollback", "--json"]).then(machines),
    ]);

    expect(others).toEqual([]);
    expect(saga?.title).toBe("saga agent-rollback");
    expect(saga?.arrows).toContainEqual({
      from: "begun",
      to: "rollingBack",
      labels: ["ToolReturned / rollBack", "DecisionRejected / rollBack"],
      block: "top",
    });
    expect(machine?.meta).toEqual({ saga: "agent-rollback" });
  });

  test("knows the actors of other folders, from the command line and from the environment", async () => {
    const [one, two] = [project("one"), project("two")];
    const typed = await chart(["one", "two", "dataset", "--actors", one, "--actors", two]);
    const set = await chart(["two", "one"], { RETRACE_ACTORS: `${one},${two}` });

    expect(pictures(typed).map(({ title }) => title)).toEqual(["one", "two", "dataset"]);
    expect(pictures(set).map(({ title }) => title)).toEqual(["two", "one"]);
  });

  test("ends with 1 for a category that does not exist, and says which do", async () => {
    const [human, json] = await Promise.all([chart(["dataset", "datasets"]), chart(["datasets", "--json"])]);

    expect(human).toMatchObject({ code: 1, stdout: "" });
    expect(human.stderr).toMatch(/^retrace: UNKNOWN_CATEGORY: there is no category and no saga datasets; .+ dataset, /);
    expect(json).toMatchObject({ code: 1, stdout: "" });
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: "UNKNOWN_CATEGORY", retryable: false } });
  });

  test("ends with 1 when the actors have problems, as start does", async () => {
    const { code, stdout, stderr } = await chart(["dataset", "--actors", "/nowhere/actors"]);

    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("/nowhere/actors: there is no such folder");
  });

  test("ends with 2 without a category, and says what there is", async () => {
    const { code, stdout, stderr } = await chart([]);

    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(
      /^error: name a category or a saga, or give --all; there are .*dataset, .*model-promotion.*\n/,
    );
  });

  test("has an example, and says where the output goes", async () => {
    const { code, stdout } = await chart(["--help"]);

    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples:\n +\$ retrace chart dataset\n/);
    expect(stdout).toContain("mermaid.live");
    expect(stdout).toContain("Stately");
  });
});
