/**
 * Brings an agent's session into the history. Every command has a number and the session remembers the last one, so a
 * second import goes on where the first one ended.
 */

import { type AddressedCommand, type Client, type CommandMetadata, Fault, type StateReply } from "retrace";
import { counted } from "../print/counted.ts";
import { type SessionCommand, sessionCommands, sessionStart } from "./agent-sessions-commands.ts";
import { readSession, type Session } from "./agent-sessions-read.ts";
import type { FileContext, FileOutcome } from "./files-verb.ts";
import { withLargeTextsPut } from "./large-texts.ts";
import { ImportRefused } from "./refused.ts";
import { runIdOf } from "./run-id.ts";
import type { Stopped } from "./stop.ts";
import { streamIdOf } from "./stream-ids.ts";
import { type FileSource, readText, sourceOf } from "./text-file.ts";

/** Imports one session. @throws ImportRefused, Fault, or Error when it cannot be read. */
export async function importAgentSession(
  client: Client,
  file: string,
  context: FileContext<object>,
): Promise<FileOutcome> {
  const { idPrefix, occurredAt } = context.options;
  const { source } = sourceOf(file);
  let badSteps = 0;
  const session = readSession([...readText(file)].join(""), (line, reason) => {
    context.onProblem(line, reason);
    badSteps += 1;
  });
  const name = runIdOf(file.replace(/\.traj(?=\.[^./]*$)/, ""));
  const id = idPrefix === undefined ? name : streamIdOf(idPrefix, name);
  const correlationId = `import-${source.sha256}`;
  const metadata = { correlationId, ...(occurredAt !== undefined && { occurredAt }) };
  const commands = sessionCommands(session);
  context.onTotal(commands.length);

  const place = await begin(client, { id, metadata, session, source });
  context.onDone(place.sourceLine);
  const outcome = await bring(client, { id, metadata, commands, place, context });
  const { newEvents, status, stopped } = outcome;
  const alreadyThere = place.sourceLine;
  return {
    summary: [
      `${id}: ${counted(session.total, "step")}: ${counted(newEvents, "new event")}`,
      `${alreadyThere} already there, ${counted(badSteps, "bad step")} (${status})`,
    ].join(", "),
    counts: { session: id, status, source, steps: session.total, newEvents, alreadyThere, badSteps },
    bad: badSteps,
    ...(stopped !== undefined && { stopped }),
  };
}

const category = "agent-session";

/** Where a session is. */
interface Place {
  readonly version: number;
  /** The number of the last command that is there. */
  readonly sourceLine: number;
  readonly status: string;
  /** 1 where it has just been started. */
  readonly newEvents: number;
}

interface Beginning {
  readonly id: string;
  readonly metadata: CommandMetadata;
  readonly session: Session;
  readonly source: FileSource;
}

/** Starts the session, unless an import of the same file has. @throws ImportRefused when it is another one. */
async function begin(client: Client, { id, metadata, session, source }: Beginning): Promise<Place> {
  const before = await stateOf(client, id);
  if (before !== undefined) {
    const { source: known, sourceLine = 0 } = before.state.context as {
      readonly source?: { readonly sha256: string };
      readonly sourceLine?: number;
    };
    if (known?.sha256 !== source.sha256) {
      const whose = known === undefined ? "was not imported" : "was imported from a file with other content";
      throw new ImportRefused(`the session ${id} is there and ${whose}; import under another id, with --id-prefix`);
    }
    return { version: before.version, sourceLine, status: String(before.state.value), newEvents: 0 };
  }
  const { environment } = session;
  const from = { ...source, ...(environment !== undefined && { environment }) };
  const data = await withLargeTextsPut({ ...sessionStart(session), source: from }, putOf(client));
  const reply = await client.send(
    category,
    id,
    { type: "StartSession", data },
    { ...metadata, expectedVersion: "no-stream" },
  );
  return { version: reply.version, sourceLine: 0, status: String(reply.state.value), newEvents: reply.events.length };
}

interface Bringing {
  readonly id: string;
  readonly metadata: CommandMetadata;
  readonly commands: readonly SessionCommand[];
  readonly place: Place;
  readonly context: FileContext<object>;
}

interface Brought {
  readonly newEvents: number;
  readonly status: string;
  readonly stopped?: Stopped;
}

/** Sends what is not there. A step without those before it would mislead, so the first refusal is the end. */
async function bring(client: Client, { id, metadata, commands, place, context }: Bringing): Promise<Brought> {
  let { newEvents, status } = place;
  const rest = commands.slice(place.sourceLine);
  const numbered = addressed(client, { id, metadata, commands: rest, place, isCut: context.isInterrupted });
  for await (const { command, reply, fault } of client.sendMany(numbered)) {
    if (fault !== undefined) return { newEvents, status, stopped: { line: command.line, reason: reasonOf(fault, id) } };
    newEvents += reply.events.length;
    status = String(reply.state.value);
    context.onDone(1);
  }
  const next = rest[newEvents - place.newEvents];
  if (next === undefined) return { newEvents, status };
  return { newEvents, status, stopped: { line: next.line, reason: "interrupted" } };
}

function reasonOf(fault: Fault, id: string): string {
  if (fault.code === "WRONG_EXPECTED_VERSION") return `the session ${id} is being written by someone else`;
  return fault.message;
}

/** Each adds one event and names the version that it expects, so none overtakes one that was refused. */
async function* addressed(
  client: Client,
  { id, metadata, commands, place, isCut }: Omit<Bringing, "context"> & { readonly isCut: () => boolean },
): AsyncGenerator<AddressedCommand & { readonly line: number }, void, undefined> {
  for (const [index, { type, data, line }] of commands.entries()) {
    if (isCut()) return;
    const sourceLine = place.sourceLine + index + 1;
    const whole = await withLargeTextsPut({ ...data, sourceLine }, putOf(client));
    const options = { ...metadata, expectedVersion: place.version + index };
    yield { category, id, command: { type, data: whole }, options, line };
  }
}

function putOf(client: Client): (text: string) => ReturnType<Client["putObject"]> {
  return (text) => client.putObject(text, { mediaType: "text/plain" });
}

async function stateOf(client: Client, id: string): Promise<StateReply | undefined> {
  try {
    return await client.state(category, id);
  } catch (error) {
    if (error instanceof Fault && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}
