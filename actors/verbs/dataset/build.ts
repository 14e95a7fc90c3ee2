/** `retrace dataset build`: rows from the log as of a position, with where each of them comes from. */
import type { Client, ClientOptions, VerbTools } from "retrace";
import { datasetSpec } from "../../../schemas/dataset-spec.ts";
import type { CliCommand } from "../import/row-format.ts";
import { counted } from "../print/counted.ts";
import { leftOutLines } from "./left-out.ts";
import { withLogBar } from "./log-bar.ts";
import { assertReached } from "./log-reader.ts";
import type { Manifest } from "./manifest.ts";
import { integerIn, readSpec } from "./read-spec.ts";
import { Refused, tellingRefusals } from "./refused.ts";
import { sentenceOf } from "./register.ts";
import { type Registration, registerDataset } from "./register-dataset.ts";
import { assertRegistration } from "./registration-names.ts";
import { unknownNames } from "./unknown-names.ts";
import { untilInterrupted } from "./until-interrupted.ts";
import { assertFree, writeDataset } from "./write-dataset.ts";

interface BuildOptions extends ClientOptions {
  readonly at: string;
  readonly spec: string;
  readonly out: string;
  readonly register?: string;
  readonly version?: string;
}

/** Adds it to the verb `dataset`. */
export function registerBuild(verb: CliCommand, tools: VerbTools): void {
  const command = verb
    .command("build")
    .description("write the rows that the log gives up to a position, a manifest, and where each row comes from")
    .requiredOption("--at <position>", "of the log, inclusive; `retrace health` says where it ends")
    .requiredOption("--spec <file>", "what to build, as JSON; - for stdin")
    .requiredOption("--out <folder>", "absent or empty; it is whole or not there at all")
    .option("--register <id>", "make it a version of this dataset aggregate as well")
    .option("--version <version>", "of the registration (default: the position and a piece of the hash)");
  tools.clientOptions(command).addHelpText(
    "after",
    `
Writes data.jsonl, manifest.json and provenance.tsv. The same spec and position give the same bytes, for ever. Signals
that were retracted up to the position are left out; whatever else gives no row is counted by its reason.

A signal belongs to the inference that it names in data.context.requestId, the id of the inference's stream: from there come
the prompt (inputFeatures) and the answer (output) that it does not carry itself.

A spec is {"format": "trl" | "kto" | "openai" | "jsonl", "types": [...]}, and may have
  "categories": ["feedback"]            "since", "until": "2026-01-01T00:00:00Z"   when it occurred, until is exclusive
  "where": {"data.userSegment": "eu", "data.context.modelVersion": {"in": ["v2", "v3"]}, "data.effortMs": {"gte": 900}}
                                        all together: a value, or eq, in, gt, gte, lt, lte, prefix
  "messages": true                      rows of trl and kto as lists of messages, false: as texts
  "promptFrom": "inputFeatures.text"    where the prompt is for signals without one
  "outputFrom": "output.text"           where the answer is in the output of an inference

trl     {prompt, chosen, rejected}            of PreferenceLogged, CorrectionSubmitted, HumanLabelApplied
openai  {input, preferred_output, non_preferred_output}                                  of the same
kto     {prompt, completion, label}           of those, and of OutputApproved, OutputRejected, UserRatedOutput,
                                              InferenceFeedback; a pair gives two rows
jsonl   {type, schemaVersion, stream, occurredAt, data}                                  of any event

Examples:
  $ retrace dataset build --at 1200 --spec spec.json --out pairs
  $ echo '{"format": "kto", "types": ["OutputApproved", "OutputRejected"]}' |
      retrace dataset build --at 1200 --spec - --out verdicts --register answers --version v3`,
  );
  command.action((options: BuildOptions) => tellingRefusals(tools, options, () => build(options, tools)));
}

async function build(options: BuildOptions, tools: VerbTools): Promise<void> {
  const { out, register: id, version } = options;
  const position = integerIn("--at", options.at);
  if (id !== undefined) assertRegistration({ id, version });
  else if (version !== undefined) throw new Refused("INVALID_OPTION", "--version belongs to --register");
  const spec = await readSpec(options.spec, datasetSpec);
  assertFree(out);
  const client = await tools.connect(options);
  try {
    await assertReached(client, position);
    for (const warning of await unknownNames(client, spec)) console.error(warning);
    const built = await untilInterrupted((signal) =>
      withLogBar(tools, position, (onPosition) => writeDataset(client, { spec, position, out, signal, onPosition })),
    );
    // Told before the registration, which may be refused: the dataset is there all the same.
    if (options.json !== true) tools.print(options, describe(out, built), built);
    const registered =
      id === undefined ? undefined : await register(client, built, { id, version, out, options, tools });
    if (options.json === true) tools.print(options, "", { folder: out, ...built, ...(registered && { registered }) });
    else if (registered !== undefined) tools.print(options, sentenceOf(registered), registered);
  } finally {
    await client.close();
  }
}

interface Registering extends Registration {
  readonly out: string;
  readonly options: ClientOptions;
  readonly tools: VerbTools;
}

/** Whether the version is taken by other rows is not known before they are built. Where it is refused, they stay. */
async function register(client: Client, built: Manifest, { out, options, tools, ...names }: Registering) {
  try {
    return await registerDataset(client, built, names);
  } catch (error) {
    const way = `retrace dataset register ${out} --id ${names.id} --version VERSION`;
    if (options.json === true) tools.print(options, "", { folder: out, ...built, registered: null, registerWith: way });
    else console.error(`${out} is built; register it with: ${way}`);
    throw error;
  }
}

function describe(out: string, { rowCount, sha256, position, leftOut, shapes }: Manifest): string {
  const lines = [`${out}: ${counted(rowCount, "row")} as of position ${position}, sha256 ${sha256}`];
  lines.push(...leftOutLines(leftOut));
  if (shapes !== undefined && shapes.texts > 0 && shapes.messages > 0) {
    lines.push(`  ${shapes.texts} rows are texts, ${shapes.messages} lists of messages: "messages" makes them alike`);
  }
  return lines.join("\n");
}
