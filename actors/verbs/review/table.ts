/** Rows of text in columns, for people. */

/** The rows, the first of them the header, with their columns aligned: figures to the right, texts to the left. */
export function table(rows: readonly (readonly string[])[]): string {
  const [header = [], ...body] = rows;
  const columns = header.map((_, i) => ({
    width: Math.max(...rows.map((row) => (row[i] ?? "").length)),
    hasFigures: body.every((row) => /^(?:\d|-$)/.test(row[i] ?? "")),
  }));
  const line = (row: readonly string[]): string =>
    columns
      .map(({ width, hasFigures }, i) => (hasFigures ? (row[i] ?? "").padStart(width) : (row[i] ?? "").padEnd(width)))
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
}
