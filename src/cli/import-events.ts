/** `retrace import events`: an exported log into an empty store. */
import { createReadStream, statSync } from "node:fs";
import type { Command as CliCommand } from "commander";
import { StartRefused } from "../core/fault.ts";
import type { Client } from "../wire/client.ts";
import { counted } from "./counted.ts";
import { verbTools, withClient } from "./tools.ts";
import type { ClientOptions, Progress } from "./verb.ts";

/** Adds it to the verb `import`, beside the imports of the domain. */
export function registerImportEvents(program: CliCommand): void {
  const verb = program.commands.find((command) => command.name() === "import") ?? program.command("import");
  verbTools
    .clientOptions(verb.command("events").description("a log that `retrace export events` wrote, into an empty store"))
    .argument("<file>", "JSON lines")
    .addHelpText(
      "after",
      `
Ids, positions, versions and times come back as they were. An import that was stopped goes on where it ended.
Nobody else may write meanwhile. Afterwards, \`retrace check\` says whether today's code can read all of it.

Example:
  $ retrace import events log.jsonl
`,
    )
    .action((file: string, options: ClientOptions) =>
      withClient(options, async (client) => {
        const bar = verbTools.progress("import", statSync(file).size);
        try {
          const outcome = await importEvents(client, file, bar);
          bar.stop();
          const { imported, alreadyThere, position } = outcome;
          const counts = `${counted(imported, "event")}, ${alreadyThere} already there`;
          verbTools.print(options, `${file}: ${counts}; the log ends at position ${position}`, { file, ...outcome });
        } finally {
          bar.stop();
        }
      }),
    );
}

interface ImportOutcome {
  readonly imported: number;
  readonly alreadyThere: number;
  readonly position: number;
}

/** An event as far as the import looks at it; the runtime checks the rest. */
interface ExportedEvent {
  readonly id: string;
  readonly position: number;
}

const maxChunkEvents = 1_000;
const maxChunkCharacters = 1024 * 1024;

async function importEvents(client: Client, file: string, bar: Progress): Promise<ImportOutcome> {
  const { position: from } = await client.query<{ readonly position: number }>("health");
  let position = from;
  let alreadyThere = 0;
  let chunk: ExportedEvent[] = [];
  let characters = 0;
  const send = async (): Promise<void> => {
    if (chunk.length === 0) return;
    await client.admin("import-events", { afterPosition: position, events: chunk });
    position += chunk.length;
    chunk = [];
    characters = 0;
  };
  try {
    for await (const { event, length } of eventsIn(file)) {
      bar.advance(length);
      if (event.position <= from) {
        if (event.position === from) await assertSame(client, event);
        alreadyThere += 1;
        continue;
      }
      chunk.push(event);
      characters += length;
      if (chunk.length >= maxChunkEvents || characters >= maxChunkCharacters) await send();
    }
  } catch (error) {
    // What stands before a broken line is good.
    if (error instanceof StartRefused) await send();
    throw error;
  }
  await send();
  if (alreadyThere < from) throw anotherHistory(from);
  return { imported: position - from, alreadyThere, position };
}

/** The store's last event has to be the file's event there: then this is an import that goes on. */
async function assertSame(client: Client, { id, position }: ExportedEvent): Promise<void> {
  const { events } = await client.events({ afterPosition: position - 1, limit: 1 });
  if (events[0]?.id !== id) throw anotherHistory(position);
}

function anotherHistory(position: number): StartRefused {
  return new StartRefused(
    `the store has ${counted(position, "event")} that ${position === 1 ? "is" : "are"} not this file's: import into an empty store`,
  );
}

async function* eventsIn(file: string): AsyncGenerator<{ readonly event: ExportedEvent; readonly length: number }> {
  let line = 0;
  for await (const text of linesIn(file)) {
    line += 1;
    if (text.trim() !== "") yield { event: parse(text, `${file}:${line}`), length: Buffer.byteLength(text) + 1 };
  }
}

/** Split at line feeds alone: Node's readline also splits at U+2028, which JSON may hold as it is. */
async function* linesIn(file: string): AsyncGenerator<string> {
  let rest = "";
  for await (const text of createReadStream(file, { encoding: "utf8", highWaterMark: 256 * 1024 })) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() as string;
    yield* lines;
  }
  if (rest !== "") yield rest;
}

function parse(text: string, where: string): ExportedEvent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new StartRefused(`${where}: not JSON; what came before it is in, and the import can go on from there`);
  }
  const { id, position } = (value ?? {}) as Partial<ExportedEvent>;
  if (typeof id === "string" && Number.isInteger(position)) return value as ExportedEvent;
  throw new StartRefused(`${where}: not an event of a log; \`retrace export events\` writes such files`);
}
