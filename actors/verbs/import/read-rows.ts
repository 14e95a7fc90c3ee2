/** Reads files of rows, one row after another: JSON lines, one JSON array, or a table with tabs and a header. */
import { counted } from "../print/counted.ts";
import { readElements } from "./json-elements.ts";
import { ImportRefused } from "./refused.ts";
import { type Line, readLines, readText } from "./text-file.ts";

/** What a row holds, by name. In a table every value is a text. */
export type Fields = Readonly<Record<string, unknown>>;

/** A row, or why there is none on this line. */
export type Row =
  | { readonly line: number; readonly fields: Fields; readonly reason?: undefined }
  | { readonly line: number; readonly fields?: undefined; readonly reason: string };

/** The rows of a file. @throws ImportRefused when it is none of the three, Error when it cannot be read. */
export function readRows(path: string): Generator<Row> {
  const beginning = beginningOf(path);
  if (beginning.startsWith("[")) return jsonRows(readElements(path));
  if (/^\{\s*\n/.test(beginning)) throw new ImportRefused("it is one JSON object; rows are JSON lines or a JSON array");
  if (beginning.startsWith("{")) return jsonRows(withoutBlank(readLines(path)));
  if (/^[^\n]*\t/.test(beginning)) return tableRows(withoutBlank(readLines(path)));
  const what = beginning === "" ? "it is empty" : "it is no table with tabs";
  throw new ImportRefused(`${what}, and neither JSON lines nor a JSON array`);
}

const enoughCharacters = 4096;

function beginningOf(path: string): string {
  let beginning = "";
  for (const text of readText(path)) {
    beginning = (beginning + text).trimStart();
    if (beginning.length >= enoughCharacters) break;
  }
  return beginning;
}

function* withoutBlank(lines: Iterable<Line>): Generator<Line> {
  for (const line of lines) if (/[^ ]/.test(line.text)) yield line;
}

function* jsonRows(lines: Iterable<Line>): Generator<Row> {
  for (const { line, text } of lines) yield { line, ...jsonRow(text) };
}

function jsonRow(text: string): { readonly fields: Fields } | { readonly reason: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { reason: `not JSON: ${(error as Error).message}` };
  }
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? { fields: value as Fields } : { reason: "not a JSON object" };
}

function* tableRows(lines: Iterable<Line>): Generator<Row> {
  let header: readonly string[] | undefined;
  for (const { line, text } of lines) {
    const cells = text.split("\t");
    if (header === undefined) header = cells.map((name) => name.trim());
    else if (cells.length === header.length) yield { line, fields: byName(header, cells) };
    else yield { line, reason: `${counted(cells.length, "column")} where the header has ${header.length}` };
  }
}

function byName(header: readonly string[], cells: readonly string[]): Fields {
  const fields: Record<string, string> = {};
  for (let i = 0; i < header.length; i++) fields[header[i] as string] = cells[i] as string;
  return fields;
}
