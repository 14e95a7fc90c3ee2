/** actors/README.md: the part of it that is made from the aggregates and sagas, and how it gets there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Aggregate, Saga } from "retrace";
import { chartOf, chartPicture, chartsOf } from "../../src/core/chart-picture.ts";
import { builtInActors } from "../../src/runtime/actor-files.ts";
import { jsonSchema, loadActors } from "../../src/runtime/loader.ts";

/** The document. */
export const actorsReadme = join(builtInActors, "README.md");

/** The command that brings it up to date. */
export const command = "npm run charts";

const begin = `<!-- charts: made by \`${command}\` from the aggregates and sagas; what stands here is overwritten -->`;
const end = "<!-- /charts -->";

/** The document with today's charts between its marks; all else stays as it is. */
export async function withCharts(markdown: string): Promise<string> {
  const [from, to] = [markdown.indexOf(begin), markdown.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${actorsReadme} lacks the marks ${begin} and ${end}`);
  const { aggregates, sagas } = await loadActors([builtInActors]);
  const sections = [
    ...inOrder(aggregates).map(({ aggregate }) => sectionOf(aggregate)),
    ...inOrder(sagas).map(({ saga }) => sagaSection(saga)),
  ];
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

function inOrder<Loaded>(byName: ReadonlyMap<string, Loaded>): Loaded[] {
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, loaded]) => loaded);
}

function sagaSection(saga: Saga): string {
  const file = `sagas/${saga.name}.ts`;
  return [
    `## saga ${saga.name}\n`,
    `${openingOf(join(builtInActors, file))} [${file}](${file})\n`,
    `Its settings are the policy \`${saga.name}\`:\n`,
    settingsTable(saga),
    `\`\`\`mermaid\n${chartPicture(chartOf(saga).machine)}\n\`\`\`\n`,
  ].join("\n");
}

interface SettingSchema {
  readonly description?: string;
}

function settingsTable({ settings }: Saga): string {
  const { properties } = jsonSchema(settings) as { readonly properties: Readonly<Record<string, SettingSchema>> };
  const rows = Object.entries(settings.parse({}) as object).map(([name, value]) => {
    return `| \`${name}\` | \`${JSON.stringify(value)}\` | ${properties[name]?.description ?? ""} |`;
  });
  return ["| Setting | Default | |", "|---|---|---|", ...rows, ""].join("\n");
}

/** What a file says it is for. */
function openingOf(file: string): string {
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(readFileSync(file, "utf8"))?.[1] ?? "";
  return comment
    .replace(/\n ?\*/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}
