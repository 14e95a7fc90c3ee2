/** Tells on which lines of a JSON text the elements of its lists stand, so that a problem of one can be told by line. */

/** By the name of each list of the root object: the line, from 1, on which each of its elements begins. */
export type RootLists = Readonly<Record<string, readonly number[]>>;

/** Finds them. `text` is JSON that could be read: nothing is checked. */
export function linesOfRootLists(text: string): RootLists {
  const lists = new Map<string, number[]>();
  const open: string[] = [];
  let name = "";
  let line = 1;
  let isBeforeElement = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    if (character === "\n") line += 1;
    if (/\s/.test(character)) continue;
    const isInRootList = open.length === 2 && open[0] === "{" && open[1] === "[";
    if (isInRootList && isBeforeElement && character !== "]") lists.get(name)?.push(line);
    isBeforeElement = false;
    if (character === '"') {
      const end = endOfString(text, i);
      if (open.length === 1) name = JSON.parse(text.slice(i, end + 1)) as string;
      i = end;
    } else if (character === "{" || character === "[") {
      if (character === "[" && open.length === 1) lists.set(name, []);
      isBeforeElement = character === "[" && open.length === 1;
      open.push(character);
    } else if (character === "}" || character === "]") open.pop();
    else if (character === ",") isBeforeElement = isInRootList;
  }
  return Object.fromEntries(lists);
}

/** Where the string that begins at `from` has its closing quote. */
function endOfString(text: string, from: number): number {
  let end = from + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
  return end;
}
