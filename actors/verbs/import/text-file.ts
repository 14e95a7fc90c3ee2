/** Reads text files piece by piece, however large they are. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";
import { ImportRefused } from "./refused.ts";

/** A line of a file, or what begins there. */
export interface Line {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/** What a file is recognised by when it comes again. */
export interface FileSource {
  /** Without its folder. */
  readonly name: string;
  readonly sha256: string;
}

/** Hashes a file and counts its lines. @throws Error when it cannot be read. */
export function sourceOf(path: string): { readonly source: FileSource; readonly lines: number } {
  const hash = createHash("sha256");
  let lines = 0;
  let last = newline;
  for (const bytes of readBytes(path)) {
    hash.update(bytes);
    for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) lines += 1;
    last = bytes.at(-1) as number;
  }
  return { source: { name: basename(path), sha256: hash.digest("hex") }, lines: last === newline ? lines : lines + 1 };
}

/** The text of a file in pieces, without a byte order mark. @throws ImportRefused when it is not UTF-8. */
export function* readText(path: string): Generator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for (const bytes of readBytes(path)) yield decoder.decode(bytes, { stream: true });
    yield decoder.decode();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_ENCODING_INVALID_ENCODED_DATA") throw error;
    throw new ImportRefused("it is not a text in UTF-8");
  }
}

/** The lines of a file without their ends. A line ends at `\n` or `\r\n`, and nowhere else: JSON may hold U+2028. */
export function* readLines(path: string): Generator<Line> {
  let line = 0;
  let rest = "";
  for (const text of readText(path)) {
    const pieces = (rest + text).split("\n");
    rest = pieces.pop() as string;
    for (const piece of pieces) {
      line += 1;
      yield { line, text: withoutReturn(piece) };
    }
  }
  if (rest !== "") yield { line: line + 1, text: withoutReturn(rest) };
}

const newline = 10;
const pieceBytes = 256 * 1024;

function* readBytes(path: string): Generator<Uint8Array> {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.allocUnsafe(pieceBytes);
    for (;;) {
      const bytes = readSync(file, buffer);
      if (bytes === 0) return;
      yield buffer.subarray(0, bytes);
    }
  } finally {
    closeSync(file);
  }
}

function withoutReturn(text: string): string {
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}
