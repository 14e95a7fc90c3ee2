/**
 * Patterns that read the same in every language: regular expressions of Python, and those of JavaScript without its flag
 * `u`, have no Unicode categories.
 */

const controls = "\\x00-\\x1f\\x7f-\\x9f";

/** As they are written inside of brackets. No text that is valid Unicode has a surrogate, so there is none to name. */
const ranges: Readonly<Record<string, string>> = { Cc: controls, Cs: "" };

/** An escape, a category, or where a class of characters begins or ends. */
const tokens = /\\([pP])\{(\w+)\}|\\.|[[\]]/gsu;

/** Writes the categories of control characters and of surrogates as ranges. Any other one stays, and needs the flag. */
export function portablePattern(pattern: string): string {
  let isInClass = false;
  return pattern.replace(tokens, (token: string, letter?: string, category?: string) => {
    if (token === "[" || token === "]") isInClass = token === "[";
    const range = category === undefined ? undefined : ranges[category];
    if (range === undefined) return token;
    if (isInClass) return letter === "p" ? range : token;
    if (range === "") return token;
    return letter === "p" ? `[${range}]` : `[^${range}]`;
  });
}
