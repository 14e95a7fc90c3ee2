import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { claimDataDir } from "../../src/broker/own-data-dir.ts";
import { processIdentity } from "../../src/broker/process-identity.ts";
import { tempDir } from "../support/temp.ts";
import { runTypeScript } from "./run-typescript.ts";

test("refuses a second claim, naming the owner, until the first is released", async () => {
  const dataDir = tempDir();
  const claim = await claimDataDir(dataDir);
  await expect(claimDataDir(dataDir)).rejects.toThrow(
    `data folder ${dataDir} is in use by retrace process ${process.pid}; stop it, use another --data, or join it with --nats URL.`,
  );
  claim.release();
  claim.release();
  (await claimDataDir(dataDir)).release();
  expect(readdirSync(dataDir)).toEqual([]);
});

test("takes over the claim of a dead process", async () => {
  const dataDir = tempDir();
  const dead = Number(execFileSync("sh", ["-c", "echo $$"], { encoding: "utf8" }));
  writeClaim(dataDir, JSON.stringify({ pid: dead, identity: "boot/1" }));
  (await claimDataDir(dataDir)).release();
});

test("takes over a claim whose pid was given to another process", async () => {
  const dataDir = tempDir();
  writeClaim(dataDir, JSON.stringify({ pid: process.pid, identity: "boot/1" }));
  (await claimDataDir(dataDir)).release();
});

test("takes over a claim that was never written out, and a takeover that was left half way", async () => {
  const dataDir = tempDir();
  writeClaim(dataDir, "");
  writeFileSync(join(dataDir, "retrace.pid.takeover"), JSON.stringify({ pid: process.pid, identity: "boot/1" }));
  const claim = await claimDataDir(dataDir);
  expect(JSON.parse(readFileSync(join(dataDir, "retrace.pid"), "utf8"))).toMatchObject({ pid: process.pid });
  claim.release();
  expect(readdirSync(dataDir)).toEqual([]);
});

test("keeps the claim of a living process", async () => {
  const dataDir = tempDir();
  const other = spawn("cat", { stdio: ["pipe", "ignore", "ignore"] });
  await once(other, "spawn");
  const { pid = 0 } = other;
  writeClaim(dataDir, JSON.stringify({ pid, identity: processIdentity(pid) }));
  await expect(claimDataDir(dataDir)).rejects.toThrow(`in use by retrace process ${pid};`);
  other.stdin.end();
  await once(other, "exit");
  (await claimDataDir(dataDir)).release();
});

test("of processes that claim a left folder at the same time exactly one wins", async () => {
  const dataDirs = Array.from({ length: 20 }, () => tempDir());
  for (const dataDir of dataDirs) writeClaim(dataDir, JSON.stringify({ pid: process.pid, identity: "boot/1" }));
  const rivals = Array.from({ length: 4 }, () => runTypeScript("./claim-process.ts", dataDirs));
  await Promise.all(rivals.map((rival) => rival.nextLine()));
  for (const rival of rivals) rival.send(String(Date.now() + 100));
  const outcomes = (await Promise.all(rivals.map((rival) => rival.nextLine()))).map((line) => JSON.parse(line));
  for (const [round, dataDir] of dataDirs.entries()) {
    const results = outcomes.map((outcome) => outcome[round]);
    expect(results.filter((result) => result === "won")).toHaveLength(1);
    expect(results.filter((result) => result.startsWith(`data folder ${dataDir} is in use`))).toHaveLength(3);
  }
});

function writeClaim(dataDir: string, text: string): void {
  writeFileSync(join(dataDir, "retrace.pid"), text);
}
