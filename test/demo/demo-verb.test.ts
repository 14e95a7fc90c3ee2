/** `retrace demo` as it is shown: on a runtime of its own, and on one that serves already. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LineageNode } from "../../actors/verbs/demo/lineage.ts";
import type { LoopSummary } from "../../actors/verbs/demo/loop.ts";
import { startRuntime } from "../../actors/verbs/demo/runtime-child.ts";
import { cli, root, startCli } from "../imports/built-cli.ts";
import { eventually } from "../support/eventually.ts";
import { tempDir } from "../support/temp.ts";

/** Whole demonstrations, one after another, on a machine that has other things to do. */
const threeRunsMs = 240_000;

function names(node: LineageNode): string[] {
  return [node.name.split(" ")[0] as string, ...node.from.flatMap(names)];
}

test("people's labels make the model better, and the log proves all of it", async () => {
  const { code, stdout, stderr } = await cli("demo", "--auto", "--json");
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const summary = JSON.parse(stdout) as LoopSummary & { durationMs: number };

  expect(summary.accuracy.after).toBeGreaterThan(0.6);
  expect(summary.accuracy.after).toBeGreaterThan(summary.accuracy.before);
  expect(summary.labels.corrected).toBeGreaterThan(0);
  expect(summary.dataset.rows).toBeGreaterThan(summary.labels.given);
  expect(summary.losses.after.at(-1)).toBeLessThan(summary.losses.after[0] as number);
  expect(summary.replay.different).toEqual([]);
  expect(summary.replay.streams).toBeGreaterThan(summary.predictions.asked);
  expect(summary.promotions).toMatchObject([
    { version: "1", verdict: "approve" },
    { version: "2", verdict: "approve" },
  ]);
  expect(summary.promotions[0]?.steps).toEqual([
    "TrainingCompleted -> versioning: CreateModel, VersionModel",
    "ModelVersioned -> reviewing: RequestReview",
    "ReviewConsensusReached -> approving: ApproveVersion",
    "ModelVersionApproved -> deploying: DeployModel",
    "ModelDeployed -> serving: MoveAlias",
    "AliasMoved -> serving",
  ]);
  expect(summary.promotions[1]?.steps).toContain("CreateModel was refused, NOT_ALLOWED_IN_STATE -> versioning");
  expect(new Set(names(summary.lineage))).toEqual(
    new Set(["model", "training-run", "dataset", "feedback", "inference"]),
  );
});

test(
  "gives the same datasets and accuracies twice, on a log of its own and on one that is shared",
  async () => {
    const data = tempDir("retrace-demo-test-");
    const runtime = await startRuntime(root, `${data}/log`);
    try {
      const shared = await cli("demo", "--auto", "--json", "--nats", runtime.nats, "--data", `${data}/kept`);
      const again = await cli("demo", "--auto", "--json", "--nats", runtime.nats, "--data", `${data}/kept`);
      const own = await cli("demo", "--auto", "--json", "--data", `${data}/own`);
      const summaries = [shared, again, own].map(({ stdout }) => JSON.parse(stdout) as LoopSummary);
      for (const { dataset, accuracy, losses, replay } of summaries) {
        expect(dataset.sha256).toBe(summaries[0]?.dataset.sha256);
        expect(accuracy).toEqual(summaries[0]?.accuracy);
        expect(losses).toEqual(summaries[0]?.losses);
        expect(replay.different).toEqual([]);
      }
      expect(existsSync(`${data}/kept/artifacts`)).toBe(true);
    } finally {
      await runtime.stop();
    }
  },
  threeRunsMs,
);

test("tells the story in plain text where there is no terminal, and leaves nothing behind", async () => {
  const folder = tempDir("retrace-demo-temp-");
  const { code, stdout } = await startCli(["demo", "--auto"], { TMPDIR: folder }).ended;
  expect(code).toBe(0);
  for (const word of [
    "dataset",
    "training",
    "model",
    "review",
    "saga",
    "inference",
    "feedback",
    "loss by step",
    "└─",
    "every state",
  ]) {
    expect(stdout).toContain(word);
  }
  expect(stdout).not.toContain("\u001b");
  expect(readdirSync(folder)).toEqual([]);
});

test("asks nobody where there is no terminal", async () => {
  const { code, stdout, stderr } = await cli("demo");
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toContain("--auto");
});

test("takes its runtime with it when it is killed, or when nobody reads on", async () => {
  for (const end of ["SIGKILL", "close the pipe"]) {
    const data = tempDir("retrace-demo-killed-");
    const demo = spawn(process.execPath, [join(root, "dist/src/main.js"), "demo", "--auto", "--data", data], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const ended = once(demo, "exit");
    await once(demo.stdout, "data");
    const { pid } = JSON.parse(readFileSync(claimIn(data), "utf8")) as { pid: number };
    expect(isRunning(pid)).toBe(true);
    if (end === "SIGKILL") demo.kill("SIGKILL");
    else demo.stdout.destroy();
    await ended;
    await eventually("the runtime has ended", () => !isRunning(pid));
  }
});

/** The file in which the runtime of the demonstration claims its data folder. */
function claimIn(data: string): string {
  const file = readdirSync(data, { recursive: true }).find((name) => String(name).endsWith("retrace.pid"));
  return join(data, String(file));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
