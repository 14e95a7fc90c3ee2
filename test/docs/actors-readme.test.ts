/** The pictures in actors/README.md are those of the charts that ship. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readMermaid } from "../core/mermaid.ts";
import { actorsReadme, command, withCharts } from "./actors-readme.ts";
import { blocksOf } from "./blocks.ts";

test("actors/README.md shows the charts as they are", async () => {
  const written = readFileSync(actorsReadme, "utf8");
  expect(written, `actors/README.md is not up to date; run: ${command}`).toBe(await withCharts(written));
});

test("Mermaid can draw every picture in it", () => {
  const blocks = blocksOf(actorsReadme);
  expect(blocks.length).toBeGreaterThan(0);
  for (const { language, text } of blocks) {
    expect(language).toBe("mermaid");
    readMermaid(text.trimEnd());
  }
});
