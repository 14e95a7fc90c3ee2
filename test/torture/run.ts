/**
 * `npm run torture -- crash [--kills N] [--seed S] [--broker embedded|external]`: the crash test for as long as one likes, with progress on
 * stderr and the report as JSON on stdout. When it fails it keeps its folder and names the seed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { crashRun } from "../crash/crash-run.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: "string", default: "100" },
    seed: { type: "string" },
    broker: { type: "string" },
  },
});
const kills = Number(values.kills);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const brokers = (["embedded", "external"] as const).filter((broker) => (values.broker ?? broker) === broker);
if (positionals.join() !== "crash" || !(kills > 0) || !Number.isInteger(seed) || brokers.length === 0) {
  process.stderr.write("usage: npm run torture -- crash [--kills N] [--seed S] [--broker embedded|external]\n");
  process.exit(2);
}

for (const broker of brokers) {
  const folder = mkdtempSync(join(tmpdir(), "retrace-torture-"));
  process.stderr.write(`crash run with seed ${seed}, ${broker} broker, in ${folder}\n`);
  const share = Math.ceil(kills / brokers.length);
  const onKill = (line: string): void => void process.stderr.write(`  ${line}\n`);
  const report = await crashRun({ folder, kills: share, seed, broker, onKill });
  process.stdout.write(`${JSON.stringify(report)}\n`);
  rmSync(folder, { recursive: true, force: true });
}
