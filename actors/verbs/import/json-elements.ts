/** Cuts a file that is one JSON array into its elements, without holding more than one of them. */
import { type Line, readText } from "./text-file.ts";

const [newline, quote, comma, backslash] = [10, 34, 44, 92] as const;
const [openBracket, closeBracket, openBrace, closeBrace] = [91, 93, 123, 125] as const;

/**
 * The elements as text, each with the line on which it begins. They are cut, not checked: what is no JSON comes out as
 * it is, with as little of its neighbours as can be. Where the array does not end, the last element is empty.
 */
export function* readElements(path: string): Generator<Line> {
  let depth = 0;
  /** At the beginning of the line. */
  let depthBefore = 0;
  let isInString = false;
  let isEscaped = false;
  let line = 1;
  let kept = "";
  let keptFrom = 1;

  const finish = (end: string): Line => {
    const element = kept + end;
    const text = element.trim();
    const before = element.slice(0, element.indexOf(text));
    const begins = text === "" ? line : keptFrom + before.split("\n").length - 1;
    kept = "";
    keptFrom = line;
    return { line: begins, text };
  };

  for (const text of readText(path)) {
    let from = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === newline) {
        line += 1;
        if (isInString) {
          // No JSON string holds a line's end: what began on this line was none, and must not swallow what is behind it.
          isInString = false;
          isEscaped = false;
          depth = depthBefore;
          if (depth === 1) {
            yield finish(text.slice(from, i));
            from = i + 1;
          }
        }
        depthBefore = depth;
      } else if (isInString) {
        if (isEscaped) isEscaped = false;
        else if (code === backslash) isEscaped = true;
        else if (code === quote) isInString = false;
      } else if (code === quote) {
        isInString = true;
      } else if (code === openBracket || code === openBrace) {
        depth += 1;
        if (depth > 1) continue;
        kept = "";
        keptFrom = line;
        from = i + 1;
      } else if (code === comma && depth === 1) {
        yield finish(text.slice(from, i));
        from = i + 1;
      } else if (code === closeBracket || code === closeBrace) {
        depth -= 1;
        if (depth > 0) continue;
        const last = finish(text.slice(from, i));
        if (last.text !== "") yield last;
        from = i + 1;
      }
    }
    kept += text.slice(from);
  }
  const rest = finish("");
  if (rest.text !== "") yield rest;
  if (depth === 1) yield { line, text: "" };
}
