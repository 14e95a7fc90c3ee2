/** What `retrace sample` does: checks what it was given, draws, and writes a file that is whole or not there. */
import { once } from "node:events";
import { existsSync, renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Client, ClientOptions, VerbTools } from "retrace";
import { sampleSpec } from "../../../schemas/sample-spec.ts";
import type { SampleRequest } from "../../replay/sample.ts";
import { sampleFingerprint } from "../../replay/sample-fingerprint.ts";
import { leftOutLines } from "../dataset/left-out.ts";
import { withLogBar } from "../dataset/log-bar.ts";
import { assertReached } from "../dataset/log-reader.ts";
import { integerIn, readSpec } from "../dataset/read-spec.ts";
import { Refused, tellingRefusals } from "../dataset/refused.ts";
import { unknownNames } from "../dataset/unknown-names.ts";
import { untilInterrupted } from "../dataset/until-interrupted.ts";
import { counted } from "../print/counted.ts";
import { type WrittenRequest, type WrittenSample, writeSample } from "./write-sample.ts";

/** As typed. */
export interface SampleOptions extends ClientOptions {
  readonly at: string;
  readonly spec: string;
  readonly n: string;
  readonly seed: string;
  readonly out: string;
  readonly force?: boolean;
}

/** What was drawn is held in memory until it is written. */
const maxCount = 10_000_000;

/** The action of the verb. */
export function sample(options: SampleOptions, tools: VerbTools): Promise<void> {
  return tellingRefusals(tools, options, async () => {
    const { out, force } = options;
    const position = integerIn("--at", options.at);
    const count = integerIn("--n", options.n, { least: 1, most: maxCount });
    const seed = integerIn("--seed", options.seed);
    const spec = await readSpec(options.spec, sampleSpec);
    if (out !== "-" && force !== true && existsSync(out)) {
      throw new Refused("FILE_EXISTS", `${out} is there already: name another file, or replace it with --force`);
    }
    const client = await tools.connect(options);
    try {
      await assertReached(client, position);
      for (const warning of await unknownNames(client, spec)) console.error(warning);
      const request = { spec, position, count, seed };
      const written = await untilInterrupted((signal) =>
        withLogBar(tools, position, (onPosition) => writeTo(out, client, { ...request, signal, onPosition })),
      );
      const told = { file: out, ...request, code: sampleFingerprint, ...written };
      if (written.rowCount === 0) console.error(`warning: no rows: ${whyNone(written)}`);
      if (out !== "-") tools.print(options, describe(out, written, request), told);
    } finally {
      await client.close();
    }
  });
}

type Reading = Omit<WrittenRequest, "write">;

async function writeTo(out: string, client: Client, request: Reading): Promise<WrittenSample> {
  if (out === "-") return writeSample(client, { ...request, write: writeToStdout });
  const partial = `${out}.partial`;
  const file = await open(partial, "w");
  try {
    const written = await writeSample(client, { ...request, write: (lines) => file.appendFile(lines) });
    await file.sync();
    renameSync(partial, out);
    return written;
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

async function writeToStdout(lines: string): Promise<void> {
  if (!process.stdout.write(lines)) await once(process.stdout, "drain");
}

function whyNone({ leftOut }: WrittenSample): string {
  const reasons = Object.keys(leftOut).join(", ");
  return `no transition of the log up to there is meant${reasons === "" ? "" : `; left out were: ${reasons}`}`;
}

function describe(
  out: string,
  { rowCount, of, sha256, leftOut }: WrittenSample,
  { count, position }: SampleRequest,
): string {
  const few = rowCount < count ? `, fewer than the ${count} asked for` : "";
  const lines = [
    `${out}: ${rowCount} of ${counted(of, "transition")} as of position ${position}${few}, sha256 ${sha256}`,
  ];
  lines.push(...leftOutLines(leftOut));
  return lines.join("\n");
}
