/**
 * What a stream remembers of the files that rows were imported from: of each the last line, so that importing a file
 * again adds only what is not there yet. Pure; for every aggregate whose streams take rows of several files.
 */
import { type Command, type Rejection, reject } from "retrace";

/** Of which file, line and part of that line a command or an event comes: the fields `imported` of the schemas. */
export interface FromFile {
  /** Absent on an event: the file that the event before it came from. */
  readonly source?: { readonly name?: string; readonly sha256: string };
  readonly sourceLine?: number;
  /** The first where absent. */
  readonly sourcePart?: number;
}

/** One file, and how far it is here. */
export interface ImportedFile {
  readonly name?: string;
  readonly sha256: string;
  readonly line: number;
  readonly part: number;
}

/** The part of a state that remembers the files, the one used last at the end. Absent where nothing was imported. */
export interface Imported {
  readonly imported?: readonly ImportedFile[];
}

/** A file that was forgotten would come in twice, so there is an end to them instead. */
const maxFiles = 64;

/** For a chart's actions: what the state remembers after the event. */
export function afterImport({ imported = [] }: Imported, event: FromFile): Imported {
  const { source, sourceLine: line, sourcePart: part = 1 } = event;
  const known = fileOf(imported, source);
  const file = known ?? (source && { ...(source.name !== undefined && { name: source.name }), sha256: source.sha256 });
  if (line === undefined || file === undefined) return {};
  const others = imported.filter((other) => other !== known);
  return { imported: [...others, { ...file, line, part }] };
}

/**
 * Makes a decide function importable: what an import has brought before is success without an event, whatever the state
 * says to it by now, and the file is named only where it is not the one before. Commands without a line are left alone.
 *
 * Rejects `SOURCE_CHANGED` for other content under the name of a file that is here, `TOO_MANY_SOURCES` for the 65th file.
 */
export function onceImported<State extends { readonly context: Imported }, C extends Command, Context, Decided>(
  decide: (state: State, command: C, context: Context) => Decided,
): (state: State, command: C, context: Context) => Decided | Rejection | [] {
  return (state, command, context) => {
    const { source, sourceLine: line, sourcePart: part = 1 } = command.data as FromFile;
    if (line === undefined) return decide(state, command, context);
    const { imported = [] } = state.context;
    const file = fileOf(imported, source);
    if (file !== undefined && (line < file.line || (line === file.line && part <= file.part))) return [];
    const rejection = file === undefined && source !== undefined ? whyNotImport(imported, source) : undefined;
    if (rejection !== undefined) return rejection;
    const isNamed = source !== undefined && imported.at(-1)?.sha256 === source.sha256;
    return decide(state, isNamed ? withoutSource(command) : command, context);
  };
}

function fileOf(imported: readonly ImportedFile[], source: FromFile["source"]): ImportedFile | undefined {
  return source === undefined ? imported.at(-1) : imported.find(({ sha256 }) => sha256 === source.sha256);
}

function whyNotImport(
  imported: readonly ImportedFile[],
  { name }: NonNullable<FromFile["source"]>,
): Rejection | undefined {
  if (name !== undefined && imported.some((file) => file.name === name)) {
    const message = `${name} was imported with other content; bring what is new as a file of another name, or all of it under other ids`;
    return reject("SOURCE_CHANGED", message, { name });
  }
  if (imported.length < maxFiles) return undefined;
  const message = `this stream holds rows of ${maxFiles} files, which is as many as it remembers; import under other ids`;
  return reject("TOO_MANY_SOURCES", message, { limit: maxFiles });
}

function withoutSource<C extends Command>(command: C): C {
  const { source: _, ...data } = command.data as FromFile;
  return { ...command, data };
}
