/** The rows of an answer as a table for people, as lines of JSON, or as CSV. */
import { once } from "node:events";
import type { Writable } from "node:stream";
import { colors } from "../colors.ts";
import type { Answer } from "./events-database.ts";

/** How to write them. */
export type RowsFormat = "table" | "json" | "csv";

/** Writes all of them, as fast as they are taken. */
export async function writeRows(
  { columns, rows }: Answer,
  { format, to }: { readonly format: RowsFormat; readonly to: Writable },
): Promise<void> {
  const write = async (lines: readonly string[]): Promise<void> => {
    if (lines.length > 0 && !to.write(`${lines.join("\n")}\n`)) await once(to, "drain");
  };
  if (format === "csv") await write([columns.map(csvCell).join(",")]);
  let table: Table | undefined;
  let count = 0;
  for await (const page of rows) {
    count += page.length;
    if (format === "csv") await write(page.map((row) => row.map(csvCell).join(",")));
    if (format === "json") await write(page.map((row) => JSON.stringify(objectOf(columns, row))));
    if (format !== "table") continue;
    const isFirst = table === undefined;
    table ??= tableFor(columns, page);
    await write([...(isFirst ? table.header : []), ...page.map(table.line)]);
  }
  if (format !== "table") return;
  if (count === 0) await write(tableFor(columns, []).header);
  await write([colors.dim(`${count} row${count === 1 ? "" : "s"}`)]);
}

function objectOf(columns: readonly string[], row: readonly unknown[]): Record<string, unknown> {
  return Object.fromEntries(columns.map((name, i) => [name, row[i]]));
}

function csvCell(value: unknown): string {
  const text = textOf(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

interface Table {
  readonly header: readonly string[];
  readonly line: (row: readonly unknown[]) => string;
}

const maxWidth = 60;

/** As wide as the first rows need; what is longer is cut. Numbers stand to the right. */
function tableFor(columns: readonly string[], rows: readonly (readonly unknown[])[]): Table {
  const shape = columns.map((name, i) => ({
    width: rows.reduce((width, row) => Math.max(width, shown(row[i]).length), shown(name).length),
    isNumber: rows.length > 0 && rows.every((row) => typeof row[i] === "number" || row[i] === null),
  }));
  const line = (row: readonly unknown[]): string =>
    shape
      .map(({ width, isNumber }, i) => (isNumber ? shown(row[i]).padStart(width) : shown(row[i]).padEnd(width)))
      .join("  ")
      .trimEnd();
  const rule = shape.map(({ width }) => "-".repeat(width)).join("  ");
  return { header: [colors.bold(line(columns)), colors.dim(rule)], line };
}

/** Control characters of what others have written must not reach the terminal. */
function shown(value: unknown): string {
  const text = textOf(value).replace(/\p{Cc}/gu, (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return text.length > maxWidth ? `${text.slice(0, maxWidth - 1)}…` : text;
}
