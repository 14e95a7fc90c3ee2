import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { builtInActors, loadActors } from "retrace";
import { describe, expect, test } from "vitest";
import { tempDir } from "../../support/temp.ts";

/** An actors folder with these files among its projections, in plain JavaScript. */
function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = tempDir();
  mkdirSync(join(folder, "projections"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, "projections", name), text);
  return folder;
}

const projection = (fields: string): string => `export default {
  kind: "projection", name: "counts", version: 1, mode: "sync", indexes: [], on: { TrainingStarted: () => {} }, ${fields}
};`;

describe("the loader", () => {
  test("finds projections beside the aggregates; a later folder's replaces an earlier one's", async () => {
    const [one, two] = [projection(""), projection("version: 2")].map((text) => folderWith({ "counts.mjs": text }));
    const { projections, aggregates } = await loadActors([builtInActors, one as string, two as string]);

    expect(projections.get("counts")).toMatchObject({ name: "counts", version: 2 });
    expect(projections.get("training-summaries")).toMatchObject({ kind: "projection" });
    expect(aggregates.has("training-run")).toBe(true);
  });

  test("finds next versions beside those that are defined", async () => {
    const folder = folderWith({ "counts.mjs": projection(""), "counts.next.mjs": projection("version: 2") });
    const { projections, nextProjections } = await loadActors([builtInActors, folder]);

    expect(projections.get("counts")).toMatchObject({ version: 1 });
    expect([...nextProjections].map(([name, { version }]) => [name, version])).toEqual([["counts", 2]]);
  });

  test("names every problem of every projection at once", async () => {
    const folder = folderWith({
      "counts.mjs": projection('mode: "later", version: 0'),
      "misnamed.mjs": projection(""),
      "none.mjs": "export default 7;",
      "broken.mjs": "throw new Error('not today');",
      "hollow.mjs": 'export default { kind: "projection" };',
      "orphan.next.mjs": projection('name: "orphan"'),
      "training-summaries.next.mjs": projection('name: "training-summaries"'),
      "deaf.mjs": projection('name: "deaf", on: { TrainingStartled: () => {} }'),
    });

    const failing = loadActors([builtInActors, folder]);
    await expect(failing).rejects.toThrow(/^the actors have 1[0-9] problems:/);
    const message = await failing.catch((error: Error) => error.message);
    for (const problem of [
      'counts.mjs: mode "later" is neither "sync" nor "async"',
      "counts.mjs: version 0 is not an integer from 1",
      "misnamed.mjs: name counts is not the name of the file, misnamed",
      "none.mjs: the default export is not a projection made by defineProjection",
      "broken.mjs: cannot be loaded: not today",
      "hollow.mjs: it listens to no event",
      "projections/deaf.mjs: it listens to TrainingStartled, which no aggregate records",
      "projection orphan: there is a next version, and none before it",
      "projection training-summaries: its next version is 1, which is not higher than 1",
    ]) {
      expect(message).toContain(problem);
    }
  });
});
