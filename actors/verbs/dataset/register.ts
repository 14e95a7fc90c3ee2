/** `retrace dataset register`: what was built becomes a version. */
import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ClientOptions, VerbTools } from "retrace";
import type { CliCommand } from "../import/row-format.ts";
import { fileNames, type Manifest, manifest } from "./manifest.ts";
import { Refused, tellingRefusals } from "./refused.ts";
import { type Registered, type Registration, registerDataset } from "./register-dataset.ts";
import { assertRegistration } from "./registration-names.ts";

interface RegisterOptions extends ClientOptions, Registration {}

/** Adds it to the verb `dataset`. */
export function registerRegister(verb: CliCommand, tools: VerbTools): void {
  const command = verb
    .command("register")
    .description("make a dataset that was built a version of a dataset aggregate")
    .argument("<folder>", "that dataset build has written")
    .requiredOption("--id <id>", "of the aggregate")
    .option("--version <version>", "what to call it (default: the position and a piece of the hash)");
  tools.clientOptions(command).addHelpText(
    "after",
    `
The version's builtFrom says position, spec, rows and SHA-256, so that anybody can build it again. Registering the same
dataset again adds nothing.

Example:
  $ retrace dataset register pairs --id answers --version v3`,
  );
  command.action((folder: string, options: RegisterOptions) =>
    tellingRefusals(tools, options, async () => {
      assertRegistration(options);
      const found = await readManifest(folder);
      const client = await tools.connect(options);
      try {
        const registered = await registerDataset(client, found, options);
        tools.print(options, sentenceOf(registered), registered);
      } finally {
        await client.close();
      }
    }),
  );
}

/** For people. */
export function sentenceOf({ id, version, isNew }: Registered): string {
  return isNew ? `version ${version} of dataset ${id}` : `version ${version} of dataset ${id} was there already`;
}

/** @throws Refused NOT_A_DATASET, also when its rows are not those that the manifest speaks of. */
async function readManifest(folder: string): Promise<Manifest> {
  const found = manifest.safeParse(readJson(join(folder, fileNames.manifest))).data;
  if (found === undefined) throw new Refused("NOT_A_DATASET", `${folder} has no manifest.json of a dataset`);
  const hash = createHash("sha256");
  await pipeline(createReadStream(join(folder, fileNames.data)), hash);
  if (hash.digest("hex") === found.sha256) return found;
  throw new Refused("NOT_A_DATASET", `${folder}: data.jsonl is not what its manifest says; build it again`);
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
