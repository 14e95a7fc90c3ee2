/** actors/README.md: the part of it that is made from the aggregates, and how it gets there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Aggregate } from "retrace";
import { chartPicture, chartsOf } from "../../src/core/chart-picture.ts";
import { builtInActors, loadActors } from "../../src/runtime/loader.ts";

/** The document. */
export const actorsReadme = join(builtInActors, "README.md");

/** The command that brings it up to date. */
export const command = "npm run charts";

const begin = `<!-- charts: made by \`${command}\` from the aggregates; what stands here is overwritten -->`;
const end = "<!-- /charts -->";

/** The document with today's charts between its marks; all else stays as it is. */
export async function withCharts(markdown: string): Promise<string> {
  const [from, to] = [markdown.indexOf(begin), markdown.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${actorsReadme} lacks the marks ${begin} and ${end}`);
  const { aggregates } = await loadActors([builtInActors]);
  const sections = [...aggregates.values()]
    .map(({ aggregate }) => aggregate)
    .sort((a, b) => (a.category < b.category ? -1 : 1))
    .map(sectionOf);
  return `${markdown.slice(0, from)}${begin}\n\n${sections.join("\n")}\n${markdown.slice(to)}`;
}

function sectionOf(aggregate: Aggregate): string {
  const { category } = aggregate;
  const file = `aggregates/${category}.ts`;
  const [own, ...ofParts] = chartsOf(aggregate).map(({ part, machine }) => {
    const heading = part === undefined ? "" : `Each ${part}:\n\n`;
    return `${heading}\`\`\`mermaid\n${chartPicture(machine)}\n\`\`\`\n`;
  });
  return [`## ${category}\n`, `${openingOf(join(builtInActors, file))} [${file}](${file})\n`, own, ...ofParts].join(
    "\n",
  );
}

/** What a file says it is for. */
function openingOf(file: string): string {
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(readFileSync(file, "utf8"))?.[1] ?? "";
  return comment
    .replace(/\n ?\*/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}
