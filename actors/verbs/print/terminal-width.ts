/** How wide a line for people may be. */

/** In characters: of the terminal, or as COLUMNS says; undefined in a pipe or file of which nobody says it. */
export function terminalWidth(): number | undefined {
  const { COLUMNS = "" } = process.env;
  return process.stdout.columns ?? (/^[1-9]\d{0,4}$/.test(COLUMNS) ? Number(COLUMNS) : undefined);
}

/** The text, its end cut off where it is longer than that. */
function shortened(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** Each line as wide as the terminal at most. */
export function fitted(text: string): string {
  const width = terminalWidth();
  return width === undefined
    ? text
    : text
        .split("\n")
        .map((line) => shortened(line, width))
        .join("\n");
}
