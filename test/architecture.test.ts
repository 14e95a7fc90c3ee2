import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Which folders of src a folder may import from, besides itself. `.` is src itself: index.ts and main.ts. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  core: [],
  store: ["core"],
  wire: ["core"],
  broker: ["core"],
  runtime: ["core", "wire"],
  testing: ["core", "store", "wire", "runtime"],
  cli: ["core", "store", "wire", "broker", "runtime"],
  ".": ["core", "store", "wire", "broker", "runtime", "cli"],
};

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/(?:^|\n)\s*(?:import|export)[^;]*?from\s+"([^"]+)"|import\(\s*"([^"]+)"\s*\)/g)].map(
    (match) => (match[1] ?? match[2]) as string,
  );
}

function resolved(file: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? relative(root, resolve(root, dirname(file), specifier)) : undefined;
}

function layerOf(file: string): string {
  const parts = file.split("/");
  return parts.length === 2 ? "." : (parts[1] as string);
}

const all = [...sources("src"), ...sources("actors"), ...sources("schemas")];

describe("imports", () => {
  test("run one way through the layers of src", () => {
    const wrong = sources("src").flatMap((file) =>
      importsOf(file)
        .map((specifier) => resolved(file, specifier))
        .filter((target) => target?.startsWith("src/") === true)
        .filter((target) => {
          const [from, to] = [layerOf(file), layerOf(target as string)];
          return from !== to && !allowed[from]?.includes(to);
        })
        .map((target) => `${file} -> ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test("never lead from src to the actors, and from the actors to src only through the package", () => {
    const wrong = all.flatMap((file) =>
      importsOf(file)
        .map((specifier) => resolved(file, specifier))
        .filter((target) => target !== undefined && file.split("/")[0] !== target.split("/")[0])
        .filter((target) => !(file.startsWith("actors/") && target?.startsWith("schemas/")))
        .map((target) => `${file} -> ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test("have no cycle, types included", () => {
    const graph = new Map(all.map((file) => [file, importsOf(file).flatMap((s) => resolved(file, s) ?? [])]));
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) throw new Error(`cycle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`);
      if (done.has(file)) return;
      for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of graph.keys()) visit(file, []);
  });

  test("reach lmdb only from the store on disk, and nats only from wire and command line", () => {
    const reaching = (name: RegExp): string[] => all.filter((file) => importsOf(file).some((s) => name.test(s)));
    expect(
      reaching(/^lmdb$/).filter(
        (file) => !/^src\/store\/(lmdb|lmdb-tables|stream-index|type-index|lagging-indexes)\.ts$/.test(file),
      ),
    ).toEqual([]);
    expect(reaching(/^@nats-io\//).filter((file) => !/^src\/(wire|cli|runtime\/runtime)/.test(file))).toEqual([]);
  });

  test("of schemas are the schema library and other schemas", () => {
    const foreign = sources("schemas").flatMap((file) =>
      importsOf(file).filter((s) => s !== "zod" && !s.startsWith("./")),
    );
    expect(foreign.filter((specifier) => specifier !== "retrace")).toEqual([]);
  });
});

describe("the core", () => {
  const folded = sources("actors").filter((file) => !file.startsWith("actors/verbs/"));
  const pure = [...sources("src/core"), ...folded, ...sources("schemas")];

  test("has no clock, no randomness, no I/O", () => {
    const impure =
      /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.\w|\bprocess\.\w|\bsetTimeout\b|\bsetImmediate\b|from "node:(?!util")/;
    expect(pure.filter((file) => impure.test(readFileSync(join(root, file), "utf8")))).toEqual([]);
  });
});

describe("every source file", () => {
  const texts = all.map((file) => [file, readFileSync(join(root, file), "utf8")] as const);

  test("opens by saying what it is for", () => {
    expect(texts.filter(([, text]) => !/^(#!.*\n)?\/\*\*/.test(text)).map(([file]) => file)).toEqual([]);
  });

  test("is short enough to be one concept", () => {
    expect(texts.filter(([, text]) => text.split("\n").length > 400).map(([file]) => file)).toEqual([]);
  });

  test("exports by name", () => {
    expect(texts.filter(([, text]) => /^export (type )?\*/m.test(text)).map(([file]) => file)).toEqual([]);
  });

  test("documents what it exports", () => {
    const undocumented = texts.flatMap(([file, text]) =>
      [...text.matchAll(/(^|\n)(.*)\nexport (?:async )?(?:function\*?|class|interface) (\w+)/g)]
        .filter((match) => !(match[2] as string).trimEnd().endsWith("*/") && !/^export /.test(match[2] as string))
        .map((match) => `${file}: ${match[3]}`),
    );
    expect(undocumented).toEqual([]);
  });
});
