/** What cannot start says why, in words for people, and ends: status 1, or 2 for wrong usage. PROTOCOL.md, Process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findNatsServer } from "../../src/broker/find-nats-server.ts";
import { openEdge } from "../protocol/edge.ts";
import { mountSmallDisk, type SmallDisk } from "../store/small-disk.ts";
import { eventually } from "../support/eventually.ts";
import { startNats, type TestNats } from "../support/nats.ts";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { project } from "./project.ts";
import { type Ended, runCli, type Surroundings } from "./run-cli.ts";

/** Runs a start that must be refused with status 1; returns what it says, without the lines of its log. */
async function refusal(args: readonly string[], surroundings: Surroundings = {}): Promise<string> {
  const ended = await runCli(["start", ...args], surroundings);
  expect(ended).toMatchObject({ code: 1, stdout: "" });
  return sentence(ended);
}

function sentence({ stderr }: Ended): string {
  const lines = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
  expect(lines[0]).toMatch(/^retrace: \S/);
  expect(stderr).not.toMatch(/\n\s+at |a bug/);
  return lines.join("\n");
}

const oneSentence = /^retrace: .+$/;
const dataDir = () => ["--data", tempDir(), "--port", "0"];

let nats: TestNats;

beforeAll(async () => {
  nats = await startNats();
});

describe("a start is refused", () => {
  test("when the data folder is a file, or lies under one", async () => {
    const file = join(tempDir(), "file");
    writeFileSync(file, "");
    for (const data of [file, join(file, "data")]) {
      for (const broker of [
        ["--port", "0"],
        ["--nats", nats.url],
      ]) {
        const said = await refusal(["--data", data, ...broker]);
        expect(said).toMatch(oneSentence);
        expect(said).toContain(file);
      }
    }
  });

  test("when the port is in use", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };

    expect(await refusal(["--data", tempDir(), "--port", String(port)])).toMatch(
      new RegExp(`^retrace: port ${port} .+$`),
    );
    server.close();
  });

  test("when the data is in use by another process", async () => {
    const data = tempDir();
    const { pid } = await startRuntime({ dataDir: data });
    const said = await refusal(["--data", data, "--port", "0"]);

    expect(said).toMatch(oneSentence);
    expect(said).toContain(`in use by retrace process ${pid}`);
  });

  test("when nobody listens where --nats points, or it is no address", async () => {
    expect(await refusal(["--data", tempDir(), "--nats", "nats://127.0.0.1:1"])).toMatch(
      /^retrace: BUS_UNAVAILABLE: cannot connect to nats:\/\/127\.0\.0\.1:1: .+$/,
    );
    expect(await refusal(["--data", tempDir()], { env: { RETRACE_NATS: "nats://127.0.0.1:1" } })).toMatch(
      /^retrace: BUS_UNAVAILABLE: cannot connect to .+RETRACE_NATS names it.+$/,
    );
    for (const address of [
      "no address",
      "foo://ada:se@secret@bar",
      "ada:secret@no address",
      "ws://127.0.0.1:1",
      "nats://",
    ]) {
      const said = await refusal(["--data", tempDir(), "--nats", address]);
      expect(said).toMatch(/^retrace: BUS_UNAVAILABLE: .+ is not the address of a broker, .+ nats:\/\/ or tls:\/\/.+$/);
      expect(said).not.toContain("secret");
    }
  });

  test("without telling the password in the address", async () => {
    const said = await refusal(["--data", tempDir(), "--nats", "nats://ada:secret@127.0.0.1:1"]);

    expect(said).toContain("127.0.0.1:1");
    expect(said).not.toContain("secret");
  });

  test("when the event stream belongs to another store", async () => {
    const first = await startRuntime({ dataDir: tempDir(), nats: nats.url, prefix: "taken" });
    expect(first.stderr()).toContain(`joining the broker ${nats.url}, which --nats names`);
    const said = await refusal(["--data", tempDir(), "--nats", nats.url, "--prefix", "taken"]);

    expect(said).toMatch(oneSentence);
    expect(said).toContain("TAKEN_EVENTS");
    expect(said).toContain("--prefix");
  });

  test("when the broker has no JetStream", async () => {
    const broker = await startWithoutJetStream();
    const said = await refusal(["--data", tempDir(), "--nats", broker.url]);
    broker.child.kill();

    expect(said).toMatch(oneSentence);
    expect(said).toContain("JetStream");
  });
});

async function startWithoutJetStream(): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const { path } = await findNatsServer();
  const child = spawn(path, ["-a", "127.0.0.1", "-p", "-1"], { stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface({ input: child.stderr })) {
    const port = /Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (port !== undefined) return { url: `nats://127.0.0.1:${port}`, child };
  }
  throw new Error("nats-server did not start");
}

describe("a nats-server that is too old", () => {
  let old: Server;

  afterAll(() => old?.close());

  test("is refused as NATS_SERVER", async () => {
    const script = join(tempDir(), "nats-server");
    writeFileSync(script, "#!/bin/sh\necho 'nats-server: v2.9.0'\n");
    chmodSync(script, 0o755);
    const said = await refusal(dataDir(), { env: { NATS_SERVER: script } });

    expect(said).toMatch(oneSentence);
    expect(said).toContain("2.9.0");
    expect(said).toContain("2.12");
  });

  test("is refused behind --nats", async () => {
    old = createServer((socket) => {
      const info = { server_id: "old", version: "2.9.0", headers: true, max_payload: 1_048_576, proto: 1 };
      socket.write(`INFO ${JSON.stringify(info)}\r\n`);
      socket.on("data", (bytes) => bytes.includes("PING\r\n") && socket.write("PONG\r\n"));
      socket.on("error", () => {});
    }).listen(0, "127.0.0.1");
    await once(old, "listening");
    const { port } = old.address() as { port: number };
    const said = await refusal(["--data", tempDir(), "--nats", `nats://127.0.0.1:${port}`]);

    expect(said).toMatch(oneSentence);
    expect(said).toContain("2.9.0 is too old");
  });
});

describe("wrong usage ends with status 2, and says what is right:", () => {
  test.each<[string, readonly string[], NodeJS.ProcessEnv, RegExp]>([
    ["a port that is no number", ["--port", "http"], {}, /--port.*http.*0 to 65535/],
    ["a port that does not exist", ["--port", "65536"], {}, /--port.*65536.*0 to 65535/],
    ["a port from the environment", [], { RETRACE_PORT: "-1" }, /RETRACE_PORT.*0 to 65535/],
    ["a prefix of two tokens", ["--prefix", "a.b"], {}, /--prefix.*a\.b.*A-Z a-z 0-9/],
    ["an empty prefix", ["--prefix", ""], {}, /--prefix/],
    ["a prefix from the environment", [], { RETRACE_PREFIX: "*" }, /RETRACE_PREFIX/],
    ["a port for a broker that is named", ["--port", "0", "--nats", "nats://127.0.0.1:1"], {}, /--port.*--nats/],
    [
      "a port beside RETRACE_NATS",
      ["--port", "0"],
      { RETRACE_NATS: "nats://127.0.0.1:1" },
      /--port.*RETRACE_NATS.*unset/,
    ],
    ["an unknown log level", ["--log-level", "loud"], {}, /debug, info/],
    ["an unknown option", ["--prot", "1"], {}, /--port/],
    ["an option without its value", ["--data"], {}, /--data/],
  ])("%s", async (_, args, env, says) => {
    const { code, stdout, stderr } = await runCli(["start", ...args], { env });

    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe("broken actors", () => {
  /** An aggregate with one command and one event, but for what `broken` replaces. */
  function aggregate(category: string, broken: Readonly<Record<string, string>> = {}): string {
    const parts = {
      commands: "Do: z.strictObject({})",
      events: "Done: z.looseObject({})",
      on: 'Done: "open"',
      decide: 'Do: () => ({ type: "Done", data: {} })',
      ...broken,
    };
    return `
import { defineAggregate } from "retrace";
import { setup } from "xstate";
import { z } from "zod";
const machine = setup({}).createMachine({ id: "x", initial: "open", states: { open: { on: { ${parts.on} } } } });
export default defineAggregate({
  category: "${category}",
  schemas: { commands: { ${parts.commands} }, events: { ${parts.events} } },
  machine,
  decide: { ${parts.decide} } as never,
});`;
  }

  test("are all told at once, each problem with its file", async () => {
    const folder = project({
      "good.ts": aggregate("good"),
      "syntax.ts": "export default {{{",
      "absent.ts": "export const nothing = 1;",
      "other.ts": "export default 42;",
      "named.ts": aggregate("misnamed"),
      "undecided.ts": aggregate("undecided", { decide: "" }),
      "wildcard.ts": aggregate("wildcard", { on: 'Done: "open", "*": "open"' }),
      "idle.ts": aggregate("idle", { on: "Done: {}" }),
      "unschemed.ts": aggregate("unschemed", { on: 'Done: "open", Undone: "open"' }),
      "training.ts": aggregate("training"),
      "missing.ts": 'import "./not-there.ts"; export default 1;',
      "gap.ts": aggregate("gap", {
        events: `Done: { version: 4, schema: z.looseObject({}), upcasters: { 2: (x) => x } }`,
      }),
      "skip.ts": aggregate("skip", {
        events: `Done: { version: 2, schema: z.looseObject({}), upcasters: { 1: (x) => x, 1.5: (x) => x, 3: (x) => x } }`,
      }),
      "unbuilt.mjs": 'export default { kind: "aggregate", category: "unbuilt" };',
    });
    const said = await refusal(["--actors", folder, ...dataDir()]);
    const about = (file: string) => said.split("\n").filter((line) => line.includes(`${file}.ts:`));

    expect(said).toMatch(/^retrace: the actors have \d+ problems:\n/);
    expect(about("good")).toEqual([]);
    expect(about("syntax")[0]).toContain("cannot be loaded");
    expect(about("absent")).toEqual([expect.stringMatching("no default export|default export is not an aggregate")]);
    expect(about("other")).toEqual([expect.stringContaining("not an aggregate")]);
    expect(about("named")).toEqual([expect.stringContaining("misnamed is not the name of the file, named")]);
    expect(about("undecided")).toEqual([expect.stringContaining("command Do has no decide")]);
    expect(about("wildcard")).toContainEqual(expect.stringContaining("a wildcard accepts"));
    expect(about("idle")).toContainEqual(expect.stringContaining("neither target nor actions"));
    expect(about("unschemed")).toEqual([expect.stringContaining("Undone has no event schema")]);
    expect(about("missing")).toEqual([expect.stringContaining("not-there.ts")]);
    expect(about("gap")).toEqual([
      expect.stringContaining("event Done: no upcaster from version 1 to 2"),
      expect.stringContaining("event Done: no upcaster from version 3 to 4"),
    ]);
    expect(about("skip")).toEqual([
      expect.stringContaining("event Done: upcaster from version 3 is never used: version 2 has one, from 1"),
      expect.stringContaining("event Done: upcaster from version 1.5 is never used"),
    ]);
    expect(said).toMatch(/unbuilt\.mjs: cannot be checked: .+/);
    expect(said).toContain("category training is a prefix of category training-run");
  });

  test("may lie in several folders, which RETRACE_ACTORS separates by commas", async () => {
    const [one, two] = [project({ "one.ts": "export default 1;" }), project({ "two.ts": "export default 2;" })];
    const fromEnv = await refusal(dataDir(), { env: { RETRACE_ACTORS: `${one},${two}` } });
    const fromArguments = await refusal([...dataDir(), "--actors", one, two]);

    for (const said of [fromEnv, fromArguments]) {
      expect(said).toContain("one.ts: the default export is not an aggregate");
      expect(said).toContain("two.ts: the default export is not an aggregate");
    }
  });

  test("are not there when the folder is not", async () => {
    const said = await refusal([...dataDir(), "--actors", "/nowhere/actors"]);

    expect(said).toContain("/nowhere/actors: there is no such folder");
  });

  test("are not there when the folder is one of something else", async () => {
    const folder = tempDir();
    const said = await refusal([...dataDir(), "--actors", folder]);

    expect(said).toContain(`${folder}: has none of the folders aggregates, sagas, projections, verbs`);
  });

  test("without the packages they import are told how to install them, below the problem", async () => {
    const folder = tempDir();
    mkdirSync(join(folder, "aggregates"));
    for (const [file, name] of [
      ["guide.ts", "retrace"],
      ["review.mjs", "zod"],
    ] as const) {
      writeFileSync(join(folder, "aggregates", file), `import "${name}"; export default 1;`);
    }
    const said = await refusal([...dataDir(), "--actors", folder]);
    const problems = said.split("\n").filter((line) => /^ {2}\S/.test(line));

    expect(problems).toEqual([expect.stringContaining("guide.ts: "), expect.stringContaining("review.mjs: ")]);
    expect(said.match(/^ {6}install it beside your actors: npm install retrace xstate zod$/gm)).toHaveLength(2);
  });
});

/** Tests that need a file system of their own; skipped, with the reason, where none can be mounted. */
function testOnDisk(name: string, sizeMiB: number, check: (disk: SmallDisk) => Promise<void>): void {
  test(name, async (context) => {
    const disk = mountSmallDisk(sizeMiB);
    if (typeof disk === "string") {
      process.stderr.write(`skipped: ${name}: ${disk}\n`);
      return context.skip(disk);
    }
    try {
      await check(disk);
    } finally {
      await eventually("the disk is let go", () => {
        disk.unmount();
        return true;
      });
    }
  });
}

describe("a disk", () => {
  testOnDisk("that is read-only is refused, with data on it and without", 80, async (disk) => {
    const data = join(disk.path, "data");
    const runtime = await startRuntime({ dataDir: data });
    await runtime.stop();
    disk.makeReadOnly();

    for (const folder of [data, join(disk.path, "other")]) {
      for (const broker of [
        ["--port", "0"],
        ["--nats", nats.url],
      ]) {
        expect(await refusal(["--data", folder, ...broker])).toMatch(oneSentence);
      }
    }
  });

  testOnDisk("that is full is refused", 8, async (disk) => {
    for (const broker of [
      ["--port", "0"],
      ["--nats", nats.url],
    ]) {
      const said = await refusal(["--data", join(disk.path, "data"), ...broker]);
      expect(said).toMatch(oneSentence);
      expect(said).toContain("full");
    }
  });

  testOnDisk(
    "that fills up makes commands STORE_UNAVAILABLE; reading goes on, and all of it when there is room",
    160,
    async (disk) => {
      const runtime = await startRuntime({ dataDir: join(disk.path, "data") });
      const edge = await openEdge(runtime.url);
      const ingest = (id: number) =>
        edge.request(`cmd.dataset.d${id}.IngestData`, {}, { "Nats-Msg-Id": `ingest-${id}` });
      const isTaken = async (id: number) => !(await ingest(id)).headers.has("Nats-Service-Error-Code");
      expect(await isTaken(1)).toBe(true);
      writeFileSync(join(disk.path, "ballast"), Buffer.alloc(110 * 1024 * 1024));
      await eventually("a full disk is noticed", async () => !(await isTaken(2)));
      const message = await ingest(3);

      expect(JSON.parse(message.body.toString())).toMatchObject({
        error: { code: "STORE_UNAVAILABLE", retryable: true },
      });
      const position = await edge.position();
      expect((await edge.query("state", { category: "dataset", id: "d1" })).version).toBe(1);
      writeFileSync(join(disk.path, "ballast"), "");
      await eventually("there is room again", () => isTaken(3));
      expect(await edge.position()).toBe(position + 1);
      expect(await runtime.stop()).toEqual({ code: 0, signal: null });
    },
  );
});
