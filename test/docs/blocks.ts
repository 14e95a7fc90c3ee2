/** The fenced code blocks of a Markdown file. */
import { readFileSync } from "node:fs";

/** One block: its language and its text. */
export interface Block {
  readonly language: string;
  readonly text: string;
}

/** All blocks, in order. */
export function blocksOf(file: string): Block[] {
  const markdown = readFileSync(file, "utf8");
  return [...markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] as string,
    text: match[2] as string,
  }));
}

/** The commands of a shell block; a line that ends in a backslash goes on. */
export function commandsOf(block: Block): string[] {
  return block.text
    .replaceAll("\\\n", " ")
    .split("\n")
    .map((line) => line.replace(/\s#.*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** The TypeScript files that a document shows: a block names its file in its first line. */
export function filesOf(blocks: readonly Block[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const { language, text } of blocks) {
    const name = /^\/\/ (\S+\.ts)\n/.exec(text)?.[1];
    if (language === "ts" && name !== undefined) files.set(name, text);
  }
  return files;
}
