/** A build whose process is killed, at any moment, with SIGKILL. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openLmdbStore } from "../../../src/store/lmdb.ts";
import { seededRandom } from "../../support/random.ts";
import { tempDir } from "../../support/temp.ts";
import { append, moves, openProjections, pieces, rowsOf } from "./pieces.ts";

const kills = Number(process.env.RETRACE_TORTURE_RUNS ?? 4);
const jiti = fileURLToPath(new URL("../../../node_modules/jiti/lib/jiti-cli.mjs", import.meta.url));
const script = fileURLToPath(new URL("build-process.ts", import.meta.url));

/** Runs the build, and kills it so long after it has begun. Returns whether it came to its end. */
async function runAndKill(path: string, afterMs: number | undefined): Promise<boolean> {
  const child = spawn(process.execPath, [jiti, script, path], { stdio: ["ignore", "pipe", "inherit"] });
  const said = text(child.stdout);
  const exited = once(child, "exit");
  if (afterMs !== undefined) {
    await once(child.stdout, "data");
    await Promise.race([delay(afterMs), exited]);
    child.kill("SIGKILL");
  }
  await exited;
  return (await said).includes("built");
}

test("is read as what was before or as what comes after, never half-built, and is finished by the next", async () => {
  const path = tempDir();
  const open = () => openLmdbStore({ path, newId: () => "id" });
  const second = pieces({ version: 2, factor: 10 });
  const first = open();
  const projections = openProjections(first, [pieces()]);
  for (let i = 0; i < 4; i++) await append(first, projections, moves(10_000, 12_000));
  const before = rowsOf(first, projections) as Record<string, { moves: number; distance: number }>;
  await first.close();
  const after = Object.fromEntries(
    Object.entries(before).map(([key, row]) => [key, { ...row, distance: 10 * row.distance }]),
  );

  const random = seededRandom(1);
  for (let kill = 0; kill <= kills; kill++) {
    const isDone = await runAndKill(path, kill === kills ? undefined : random.integer(500));
    const store = open();
    const reader = openProjections(store, [second]);
    const version = reader.readable(store, "pieces")?.version;
    expect(rowsOf(store, reader)).toEqual(version === 1 ? before : after);
    if (isDone) expect(version).toBe(2);
    const generations = new Set(Array.from(store.scan("rows", { prefix: ["pieces"] }), ({ key }) => key[1]));
    if (isDone) expect([...generations]).toEqual([2]);
    await store.close();
    if (isDone) break;
  }
});
