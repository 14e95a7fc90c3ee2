/** `retrace import crowd-labels`: what many people said of the same items; each item becomes a review. */
import { existsSync } from "node:fs";
import { type CrowdLabelsOptions, importCrowdLabels } from "./crowd-labels-import.ts";
import type { FileImport } from "./files-verb.ts";

const methods = ["majority"];

/** The kind, for the command line. */
export const crowdLabels: FileImport<CrowdLabelsOptions> = {
  name: "crowd-labels",
  description: "labels of many annotators, with gold labels: tables with tabs, JSON lines (worker, item, label)",
  files: "the files of labels; the gold labels of X.labels.tsv are taken from X.gold.tsv beside it",
  notes: `Each item becomes a review with as many votes as it has labels; labels that are few become its options. An item with more
votes than a review may have (100, in free text 20) becomes several, about the same subject. The reviews are left for
people or routing to close, unless --close says how.`,
  example: "retrace import crowd-labels birds.labels.tsv",
  addOptions: (command) => {
    command
      .option("--gold <file>", "the file of gold labels, for a single file (item, gold)")
      .option("--free-text", "labels are what people wrote, however few there are")
      .option("--close <method>", `close what all have voted on: ${methods.join(", ")}; a tie is disputed`);
  },
  wrongUsage: (files, { gold, close }) => {
    if (gold !== undefined && files.length > 1) return "--gold is of one file of labels, so it goes with a single file";
    if (close === undefined || methods.includes(close)) return undefined;
    return `--close takes ${methods.join(", ")}`;
  },
  filesOf: withoutGold,
  bring: (client, file, context) => {
    const { gold = goldBeside(file) } = context.options;
    const options = { ...context.options, ...(gold !== undefined && { gold }) };
    return importCrowdLabels(client, file, { ...context, options });
  },
};

const labels = /\.labels(?=\.[^./]*$)/;

function goldBeside(file: string): string | undefined {
  const beside = file.replace(labels, ".gold");
  return beside !== file && existsSync(beside) ? beside : undefined;
}

/** Where a pattern has named the gold labels beside the labels, they are not labels themselves. */
function withoutGold(files: readonly string[]): readonly string[] {
  const gold = new Set(files.map((file) => file.replace(labels, ".gold")).filter((beside, i) => beside !== files[i]));
  return files.filter((file) => !gold.has(file));
}
