/** `retrace import documents`: the reader of manifests and folders, and a built runtime, with counts made independently. */

import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readCollection } from "../../actors/verbs/import/documents-read.ts";
import { ImportRefused } from "../../actors/verbs/import/refused.ts";
import { linesOfRootLists } from "../../actors/verbs/import/root-lists.ts";
import { counted } from "../../actors/verbs/print/counted.ts";
import { absentFile, ImportSetting, realFile } from "./import-setting.ts";

const setting = new ImportSetting("documents");

interface Entry {
  readonly path?: string;
  readonly file?: string;
  readonly revision?: unknown;
  readonly committed_at?: string;
  readonly commit?: string;
  readonly sha256?: string;
  readonly bytes?: number;
}

interface Manifest {
  readonly current?: readonly Entry[];
  readonly history?: readonly Entry[];
  readonly commit?: string;
}

/** One entry a line: those of the history begin on line 3, those that are current behind them. */
function manifest(name: string, { history = [], current = [], ...rest }: Manifest): string {
  const list = (entries: readonly Entry[]) => entries.map((entry) => JSON.stringify(entry)).join(",\n");
  const head = JSON.stringify({ source: "https://example.org/docs", ...rest }).slice(0, -1);
  return setting.write(
    `${name}/manifest.json`,
    `${head},\n"history": [\n${list(history)}],\n"current": [\n${list(current)}]}\n`,
  );
}

function sha256Of(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A revision of a document, with its file. */
function revision(folder: string, path: string, number: number, text = `${path} ${number}\n`): Entry {
  const file = `history/${path}.${number}`;
  setting.write(`${folder}/${file}`, text);
  return {
    path,
    file,
    revision: number,
    committed_at: `2024-01-${String(number).padStart(2, "0")}T12:00:00+02:00`,
    commit: `c${number}`,
    sha256: sha256Of(text),
    bytes: Buffer.byteLength(text),
  };
}

function currently(folder: string, path: string, text: string): Entry {
  setting.write(`${folder}/current/${path}`, text);
  return { path, file: `current/${path}` };
}

describe("the lines of lists", () => {
  test("are those on which their elements begin, whatever is in them", () => {
    const text = `{"a": [1,
      {"b": [2, 3], "c": "],[\\"\\\\"}
      ,
      [4, [5]], null], "no": {"a": [6]}, "e": [], "f": [
      "x"
    ], "g\\n": [true]}`;
    expect(linesOfRootLists(text)).toEqual({ a: [1, 2, 4, 4], e: [], f: [5], "g\n": [6] });
    const parsed = JSON.parse(text) as Record<string, unknown>;
    for (const [name, lines] of Object.entries(linesOfRootLists(text)))
      expect(lines).toHaveLength((parsed[name] as []).length);
    expect(linesOfRootLists('[{"a": [1]}]')).toEqual({});
  });
});

describe("reading a manifest", () => {
  const read = (path: string) => {
    const problems: string[] = [];
    const collection = readCollection(path, (line, reason) => problems.push(`${line}: ${reason}`));
    return { collection, problems };
  };

  test("puts the revisions of each document in order, the current one last, and numbers them", () => {
    const path = manifest("read", {
      history: [
        { path: "b.md", file: "b2", revision: 2 },
        { path: "a.md", file: "a1", revision: 1, committed_at: "2024-01-01T00:00:00-06:00", commit: "c1", bytes: 3 },
        { path: "b.md", file: "b1", revision: 1 },
        { path: "n.md", file: "nz", revision: "z" },
        { path: "n.md", file: "na", revision: "a" },
      ],
      current: [{ path: "a.md", file: "a" }],
      commit: "0123456789abcdef",
    });
    const { collection, problems } = read(path);
    expect(problems).toEqual([]);
    expect(collection).toMatchObject({ dataSet: "read", total: 6 });
    expect(collection.manifest?.source).toEqual({
      name: "manifest.json@0123456789ab",
      sha256: sha256Of(readFileSync(path, "utf8")),
      repository: "https://example.org/docs",
    });
    const at = join(setting.folder, "read");
    expect(collection.documents).toEqual([
      {
        name: "a.md",
        history: [
          {
            line: 4,
            number: 1,
            file: "a1",
            path: join(at, "a1"),
            revision: 1,
            at: "2024-01-01T06:00:00.000Z",
            commit: "c1",
            bytes: 3,
          },
        ],
        current: { line: 9, number: 2, file: "a", path: join(at, "a") },
      },
      {
        name: "b.md",
        history: [
          { line: 5, number: 3, file: "b1", path: join(at, "b1"), revision: 1 },
          { line: 3, number: 4, file: "b2", path: join(at, "b2"), revision: 2 },
        ],
      },
      {
        name: "n.md",
        history: [
          { line: 6, number: 5, file: "nz", path: join(at, "nz"), revision: "z" },
          { line: 7, number: 6, file: "na", path: join(at, "na"), revision: "a" },
        ],
      },
    ]);
    expect(read(join(setting.folder, "read")).collection).toEqual(collection);
  });

  test("tells bad entries by line", () => {
    const entries = [
      { path: "a.md", file: "a", revision: 1 },
      { file: "a", revision: 1 },
      { path: "a.md", revision: 1 },
      { path: "a.md", file: "a" },
      { path: "a.md", file: "a", revision: -1 },
      { path: "a.md", file: "a", revision: 2, committed_at: "yesterday" },
      { path: "a.md", file: "../../etc/passwd", revision: 3 },
      { path: "a.md", file: "/etc/passwd", revision: 3 },
      "a.md" as Entry,
    ];
    const { collection, problems } = read(manifest("broken", { history: entries }));
    expect(collection.total).toBe(9);
    expect(collection.documents.flatMap(({ history }) => history)).toHaveLength(1);
    expect(problems).toEqual([
      "4: no path",
      "5: no file",
      "6: no revision",
      "7: no revision: -1",
      expect.stringMatching(/^8: committed_at is no time/),
      "9: ../../etc/passwd lies outside the folder of the manifest",
      "10: /etc/passwd lies outside the folder of the manifest",
      "11: not a JSON object",
    ]);
  });

  test.each([
    ["no JSON", "{", "it is not readable as JSON"],
    ["no object", "[]", "it is no JSON object"],
    ["no list", "{}", 'has neither a list "history" nor a list "current"'],
  ])("refuses what is %s", (_, text, reason) => {
    const path = setting.write("none/manifest.json", text);
    expect(() => read(path)).toThrow(ImportRefused);
    expect(() => read(path)).toThrow(reason);
  });

  test("takes the files of a folder without one, hidden ones and packages left out", () => {
    for (const file of ["b.md", "a/z.txt", "a/.x.md", ".git/y", "node_modules/p/README.md", "a/b/c.md"]) {
      setting.write(`folder/${file}`, "x");
    }
    const { collection } = read(join(setting.folder, "folder"));
    expect(collection.manifest).toBeUndefined();
    expect(collection.documents.map(({ name, current }) => [name, current?.file])).toEqual([
      ["a/b/c.md", "a/b/c.md"],
      ["a/z.txt", "a/z.txt"],
      ["b.md", "b.md"],
    ]);
  });
});

/** The id that a path gets; dots make it carry a piece of its hash. */
async function idOf(dataSet: string, start: string): Promise<string> {
  const { events } = await setting.client.events({ types: ["DocumentSubmitted"], limit: 1000 });
  const streams = new Set(events.map(({ stream }) => stream.replace(/^document-/, "")));
  const found = [...streams].filter((id) => id.startsWith(`${dataSet}~${start}`));
  expect(found).toHaveLength(1);
  return found[0] as string;
}

interface RevisionData {
  readonly revision: number;
  readonly previousRevision?: number;
  readonly contentRef: { readonly ref: string; readonly sha256: string };
  readonly source: Record<string, unknown>;
  readonly sourceLine?: number;
}

async function revisionsOf(id: string) {
  const events = await setting.history("document", id);
  return events.map(({ type, occurredAt, data }) => ({ type, occurredAt, data: data as RevisionData }));
}

function summary(revisions: number, counts: { fresh?: number; there?: number; absent?: number; bad?: number }): string {
  const { fresh = 0, there = 0, absent = 0, bad = 0 } = counts;
  return `${counted(revisions, "revision")}: ${fresh} new, ${there} already there, ${absent} without a file here, ${bad} bad\n`;
}

describe("against a runtime", () => {
  test("revisions come in at their times with their contents, and a second time add nothing", async () => {
    const history = [1, 2, 3].map((number) => revision("whole", "guide/a.md", number));
    const file = manifest("whole", { history, current: [currently("whole", "guide/a.md", "guide/a.md 3\n")] });
    expect(await setting.import(file)).toEqual({
      code: 0,
      stdout: `manifest.json: ${summary(4, { fresh: 3, there: 1 })}`,
      stderr: "",
    });
    const id = await idOf("whole", "guide~a-md~");
    const source = {
      name: "manifest.json",
      sha256: sha256Of(readFileSync(file, "utf8")),
      repository: "https://example.org/docs",
      path: "guide/a.md",
    };
    const events = await revisionsOf(id);
    expect(events).toEqual(
      [1, 2, 3].map((number) => ({
        type: number === 1 ? "DocumentSubmitted" : "DocumentUpdated",
        occurredAt: `2024-01-0${number}T10:00:00.000Z`,
        data: {
          revision: number,
          ...(number === 1 ? { submittedAt: "2024-01-01T10:00:00.000Z" } : { previousRevision: number - 1 }),
          contentRef: {
            ref: expect.stringMatching(/^nats-object:/),
            sha256: sha256Of(`guide/a.md ${number}\n`),
            bytes: 13,
            mediaType: "application/octet-stream",
            commit: `c${number}`,
          },
          source,
          sourceLine: number,
          round: 1,
        },
      })),
    );
    for (const { data } of events) {
      const content = Buffer.from(await setting.client.getObject(data.contentRef)).toString();
      expect(content).toBe(`guide/a.md ${data.revision}\n`);
    }

    const position = await setting.head();
    for (const path of [file, join(setting.folder, "whole")]) {
      const { code, stdout } = await setting.import(path);
      expect([code, stdout.replace(/^\S+ /, "")]).toEqual([0, summary(4, { there: 4 })]);
    }
    expect(await setting.head()).toBe(position);
  });

  test("contents stay where they are on request", async () => {
    const current = [currently("refs", "a.md", "x"), currently("refs", "b.html", "y")];
    expect(await setting.json("--no-content", manifest("refs", { current }))).toMatchObject([{ newRevisions: 2 }]);
    const [a] = await revisionsOf(await idOf("refs", "a-md"));
    const [b] = await revisionsOf(await idOf("refs", "b-html"));
    const bytes = 1;
    expect(a?.data.contentRef).toEqual({
      ref: "file:current/a.md",
      sha256: sha256Of("x"),
      bytes,
      mediaType: "text/markdown",
    });
    expect(b?.data.contentRef).toEqual({
      ref: "file:current/b.html",
      sha256: sha256Of("y"),
      bytes,
      mediaType: "text/html",
    });
    const { state } = await setting.client.state("document", await idOf("refs", "a-md"));
    expect(state).toMatchObject({ value: "submitted", context: { current: { revision: 1 } } });
  });

  test("a current file is the revision of the history with its content, or a new one", async () => {
    const [first, second] = [revision("now", "a.md", 1), revision("now", "a.md", 2)];
    const [only] = [revision("now", "b.md", 7)];
    rmSync(join(setting.folder, "now", second.file ?? ""));
    rmSync(join(setting.folder, "now", only.file ?? ""));
    const current = [currently("now", "a.md", "a.md 2\n"), currently("now", "b.md", "other\n")];
    const file = manifest("now", { history: [first, second, only], current });
    expect(await setting.json("--occurred-at", "2020-02-02T00:00:00.000Z", file)).toMatchObject([
      { newRevisions: 3, notHere: 2, bad: 0 },
    ]);
    const a = await revisionsOf(await idOf("now", "a-md"));
    expect(a.map(({ occurredAt, data }) => [data.revision, occurredAt])).toEqual([
      [1, "2024-01-01T10:00:00.000Z"],
      [2, "2024-01-02T10:00:00.000Z"],
    ]);
    const b = await revisionsOf(await idOf("now", "b-md"));
    expect(b.map(({ occurredAt, data }) => [data.revision, occurredAt])).toEqual([[8, "2020-02-02T00:00:00.000Z"]]);
    expect(await setting.json(file)).toMatchObject([{ newRevisions: 0, alreadyThere: 3, notHere: 2, bad: 0 }]);
  });

  test("files that are not what the manifest says are told and left out, also when they are right later", async () => {
    const history = [1, 2, 3, 4].map((number) => revision("wrong", "a.md", number));
    setting.write("wrong/history/a.md.2", "changed\n");
    const sized = history.map((entry) => (entry.revision === 4 ? { ...entry, bytes: 9 } : entry));
    const file = manifest("wrong", { history: sized });
    const first = await setting.import(file);
    expect(first.code).toBe(1);
    expect(first.stderr.trimEnd().split("\n")).toEqual([
      `${file}:4: history/a.md.2 is not what the manifest says: its SHA-256 is ${sha256Of("changed\n")}, and not ${sha256Of("a.md 2\n")}`,
      `${file}:6: history/a.md.4 is not what the manifest says: it has 7 bytes, and not 9`,
    ]);
    expect(first.stdout).toBe(`manifest.json: ${summary(4, { fresh: 2, bad: 2 })}`);
    const id = await idOf("wrong", "a-md");
    expect((await revisionsOf(id)).map(({ data }) => data.revision)).toEqual([1, 3]);

    revision("wrong", "a.md", 2);
    const second = await setting.import(file);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`${file}:4: revision 2 is not there, and comes too late behind revision 3`);
    expect(second.stdout).toBe(`manifest.json: ${summary(4, { there: 2, bad: 2 })}`);
    expect((await revisionsOf(id)).map(({ data }) => data.revision)).toEqual([1, 3]);
  });

  test("a newer manifest brings what is new", async () => {
    const older = [1, 2].map((number) => revision("grows", "a.md", number));
    await setting.import(manifest("grows", { history: older, commit: "aaaa" }));
    const all = [...older, revision("grows", "a.md", 3)];
    const file = manifest("grows", { history: [...all].reverse(), commit: "bbbb" });
    expect(await setting.json(file)).toMatchObject([{ newRevisions: 1, alreadyThere: 2, bad: 0 }]);
    const revisions = await revisionsOf(await idOf("grows", "a-md"));
    expect(revisions.map(({ data }) => [data.revision, data.source.name, data.sourceLine])).toEqual([
      [1, "manifest.json@aaaa", 1],
      [2, "manifest.json@aaaa", 2],
      [3, "manifest.json@bbbb", 3],
    ]);

    const rewritten = manifest("grows", { history: [...all, revision("grows", "a.md", 4)], commit: "bbbb" });
    const { code, stderr } = await setting.import(rewritten);
    expect(code).toBe(1);
    expect(stderr).toContain("manifest.json@bbbb was imported with other content");
  });

  test("a revision with other content than the log has is told", async () => {
    await setting.import(manifest("rewritten", { history: [1, 2].map((n) => revision("rewritten", "a.md", n)) }));
    const history = [revision("rewritten", "a.md", 1, "another\n"), revision("rewritten", "a.md", 2)];
    const file = manifest("rewritten", { history, commit: "cccc" });
    const { code, stdout, stderr } = await setting.import(file);
    expect([code, stdout]).toEqual([1, `manifest.json: ${summary(2, { there: 1, bad: 1 })}`]);
    expect(stderr).toContain(`${file}:3: revision 1 is there with other content`);
  });

  test("a folder without a manifest is brought as it is, and its changes are new revisions", async () => {
    const folder = join(setting.folder, "plain");
    setting.write("plain/a.md", "one\n");
    setting.write("plain/sub/b.txt", "two\n");
    expect(await setting.json(folder)).toMatchObject([{ newRevisions: 2, alreadyThere: 0 }]);
    setting.write("plain/a.md", "three\n");
    expect(await setting.json(folder)).toMatchObject([{ newRevisions: 1, alreadyThere: 1 }]);
    expect(await setting.json(folder)).toMatchObject([{ newRevisions: 0, alreadyThere: 2 }]);
    const revisions = await revisionsOf(await idOf("plain", "a-md"));
    expect(revisions.map(({ type, data }) => [type, data.revision, data.source])).toEqual([
      ["DocumentSubmitted", 1, { name: "a.md", sha256: sha256Of("one\n") }],
      ["DocumentUpdated", 2, { name: "a.md", sha256: sha256Of("three\n") }],
    ]);
  });

  test("a document from elsewhere keeps its id, and one that was deleted stays deleted", async () => {
    setting.write("own/a.md", "mine\n");
    await setting.import(join(setting.folder, "own"));
    const id = await idOf("own", "a-md");
    const file = manifest("other", { current: [currently("other", "a.md", "theirs\n")] });
    const { code, stderr } = await setting.import("--id-prefix", "own", file);
    expect(code).toBe(1);
    expect(stderr).toContain(`${file}:5: a document from elsewhere has its id; import under other ids`);
    expect(await revisionsOf(id)).toHaveLength(1);

    await setting.client.send("document", id, { type: "DeleteDocument", data: {} });
    expect(await setting.json(join(setting.folder, "own"))).toMatchObject([{ alreadyThere: 1, bad: 0 }]);
    setting.write("own/a.md", "mine again\n");
    const late = await setting.import(join(setting.folder, "own"));
    expect(late.code).toBe(1);
    expect(late.stderr).toContain(`${join(setting.folder, "own", "a.md")}:1: `);
  });

  test("what is not there and what cannot be read does not keep the others out", async () => {
    setting.write("good/a.md", "x");
    const broken = setting.write("damaged/manifest.json", "{");
    const none = join(setting.folder, "nowhere");
    const { code, stdout, stderr } = await setting.import(none, broken, join(setting.folder, "good"));
    expect([code, stdout]).toEqual([1, `good: ${summary(1, { fresh: 1 })}`]);
    expect(stderr).toContain(`${none}: ENOENT`);
    expect(stderr).toContain(`${broken}: it is not readable as JSON`);
  });

  test("an import that is killed again and again ends like one that was left alone", async () => {
    const paths = Array.from({ length: 12 }, (_, i) => `d${i}.md`);
    const history = paths.flatMap((path) =>
      Array.from({ length: 25 }, (_, i) => revision("killed", path, i + 1, `${path} ${i + 1} ${"x".repeat(2_000)}\n`)),
    );
    const file = manifest("killed", { history });
    expect(await setting.json("--id-prefix", "alone", file)).toMatchObject([{ newRevisions: 300 }]);
    const start = await setting.head();
    await setting.killAt([20, 60, 90], "--id-prefix", "stopped", file);
    const before = (await setting.head()) - start;
    expect(before).toBeLessThanOrEqual(300);
    expect(await setting.json("--id-prefix", "stopped", file)).toMatchObject([
      { newRevisions: 300 - before, alreadyThere: before, bad: 0 },
    ]);
    for (const i of paths.keys()) {
      const [alone, stopped] = await Promise.all([idOf("alone", `d${i}-md`), idOf("stopped", `d${i}-md`)]);
      expect(await setting.content("document", stopped)).toEqual(await setting.content("document", alone));
    }
  });
});

test("has help with an example", async () => {
  const { code, stdout } = await setting.import("--help");
  expect(code).toBe(0);
  expect(stdout).toContain("Example:\n  $ retrace import documents ");
});

const absent = absentFile(["documents/manifest.json", "documents/current", "documents/history"]);

describe.skipIf(absent !== undefined)("real documents", () => {
  interface RealEntry {
    readonly path: string;
    readonly file: string;
    readonly revision: number;
    readonly committed_at: string;
    readonly sha256: string;
  }

  test("come in with every dated revision, and a second time add nothing", async () => {
    const file = realFile("documents/manifest.json");
    const { current, history } = JSON.parse(readFileSync(file, "utf8")) as Record<string, RealEntry[]>;
    const isHere = (entry: RealEntry) => existsSync(realFile(`documents/${entry.file}`));
    const contentOf = (entry: RealEntry) => readFileSync(realFile(`documents/${entry.file}`), "utf8");

    /** By path and revision, what is expected: the hash and the time. */
    const expected = new Map<string, string>();
    let same = 0;
    let absentFiles = 0;
    for (const entry of history ?? []) {
      if (!isHere(entry)) absentFiles += 1;
      else
        expected.set(
          `${entry.path}@${entry.revision}`,
          `${entry.sha256} ${new Date(entry.committed_at).toISOString()}`,
        );
    }
    for (const entry of current ?? []) {
      const sha256 = sha256Of(contentOf(entry));
      const listed = (history ?? []).find((one) => one.path === entry.path && one.sha256 === sha256);
      if (listed === undefined) expected.set(`${entry.path}@1`, sha256);
      else if (isHere(listed)) same += 1;
      else expected.set(`${entry.path}@${listed.revision}`, `${sha256} ${new Date(listed.committed_at).toISOString()}`);
    }

    const total = (current?.length ?? 0) + (history?.length ?? 0);
    const [first] = await setting.json("--occurred-at", "2026-06-01T00:00:00.000Z", file);
    expect(first).toMatchObject({
      revisions: total,
      newRevisions: expected.size,
      alreadyThere: same,
      notHere: absentFiles,
      bad: 0,
    });
    const events = await setting.eventsOf(file);
    expect(events).toHaveLength(expected.size);
    for (const { data, occurredAt } of events) {
      const { source, revision, contentRef } = data as RevisionData;
      const key = `${source.path}@${revision}`;
      const wanted = expected.get(key) ?? "";
      expect(`${contentRef.sha256} ${occurredAt}`).toBe(
        wanted.includes(" ") ? wanted : `${wanted} 2026-06-01T00:00:00.000Z`,
      );
      expect(sha256Of(Buffer.from(await setting.client.getObject(contentRef)).toString())).toBe(contentRef.sha256);
      expected.delete(key);
    }
    expect([...expected.keys()]).toEqual([]);
    const position = await setting.head();
    expect(await setting.json(file)).toMatchObject([{ newRevisions: 0, notHere: absentFiles, bad: 0 }]);
    expect(await setting.head()).toBe(position);
  });
});
