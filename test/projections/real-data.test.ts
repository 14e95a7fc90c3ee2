/** Real files as one history, and what the projections make of it against figures counted without them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtInActors } from "../../src/runtime/actor-files.ts";
import { loadActors } from "../../src/runtime/loader.ts";
import { tempDir } from "../support/temp.ts";
import { checks } from "./fan-in/checks.ts";
import { absentFiles, someImports, unexplainedFiles } from "./fan-in/files.ts";
import { type FanIn, fanIn } from "./fan-in.ts";

describe.skipIf(absentFiles !== undefined)("real data", () => {
  let all: FanIn;

  beforeAll(async () => {
    // All of them come in with `npm run torture -- fan-in`.
    all = await fanIn({ imports: someImports, folder: tempDir() });
  }, 600_000);

  afterAll(async () => {
    await all.close();
  });

  test("every file is brought in, or there is a reason why not", () => {
    expect(unexplainedFiles()).toEqual([]);
  });

  test("nothing is parked anywhere, and all of it is live", () => {
    const position = all.store.position();
    for (const one of [...all.followed, ...all.rebuilt]) {
      expect(one).toMatchObject({ name: one.name, parked: 0, status: "live", position });
    }
    expect(position).toBeGreaterThan(40_000);
  });

  test("rows that were made while the files came in are those that are made anew of the whole log", () => {
    expect(all.differences).toEqual([]);
    const sizes = (made: FanIn["rebuilt"]) => made.map(({ name, mode, rows }) => [name, mode, rows]);
    expect(sizes(all.followed)).toEqual(sizes(all.rebuilt));
    expect(new Set(all.rebuilt.map(({ mode }) => mode))).toEqual(new Set(["sync", "async"]));
  });

  test("every projection that ships is checked", async () => {
    const { projections } = await loadActors([builtInActors]);
    expect(Object.keys(checks).sort()).toEqual([...projections.keys()].sort());
  });

  test.each(Object.entries(checks))("%s is what the files say", (_, check) => {
    check(all);
  });
});
