import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { releaseVersion } from "../../src/broker/fetch-release.ts";
import { type FindNatsServerOptions, findNatsServer } from "../../src/broker/find-nats-server.ts";
import { StartRefused } from "../../src/core/fault.ts";
import { tempDir } from "../support/temp.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

test("takes the binary that NATS_SERVER names", async () => {
  const path = fakeServer(tempDir(), "2.12.4");
  const found = await findNatsServer({ env: { NATS_SERVER: path } });
  expect(found).toEqual({ path, version: "2.12.4", source: "NATS_SERVER" });
});

test("refuses a NATS_SERVER that is too old, and looks no further", async () => {
  const { options } = machine();
  const path = fakeServer(tempDir(), "2.9.0");
  const env = { ...options.env, NATS_SERVER: path, PATH: folderOf(fakeServer(tempDir(), "2.12.0")) };
  await expect(findNatsServer({ ...options, env })).rejects.toThrow(
    new StartRefused(`NATS_SERVER=${path} is nats-server 2.9.0: Retrace needs 2.12.0 or newer.`),
  );
});

test("refuses a NATS_SERVER that is not there or no nats-server", async () => {
  await expect(findNatsServer({ env: { NATS_SERVER: "/nowhere/nats-server" } })).rejects.toThrow(
    "NATS_SERVER=/nowhere/nats-server cannot be used: /nowhere/nats-server is not on this machine.",
  );
  await expect(findNatsServer({ env: { NATS_SERVER: "/bin/true" } })).rejects.toThrow(
    "NATS_SERVER=/bin/true cannot be used: /bin/true does not report a nats-server version.",
  );
});

test("takes the first new enough binary on the PATH and says which it skipped", async () => {
  const { options, notices } = machine();
  const old = fakeServer(tempDir(), "2.10.27");
  const good = fakeServer(tempDir(), "2.12.0");
  const found = await findNatsServer({
    ...options,
    env: { ...options.env, PATH: `${folderOf(old)}:${folderOf(good)}` },
  });
  expect(found).toEqual({ path: good, version: "2.12.0", source: "PATH" });
  expect(notices).toEqual([
    `skipping the nats-server on the PATH: ${old} is version 2.10.27, and 2.12.0 or newer is needed`,
  ]);
});

test("fetches the official release, checks its sum and finds it in the cache the next time", async () => {
  const { options, notices, cache } = machine({ releases: await serveRelease() });
  const first = await findNatsServer(options);
  expect(first).toEqual({
    path: join(cache, releaseVersion, "nats-server"),
    version: releaseVersion,
    source: "release",
  });
  expect(notices).toEqual([`fetching nats-server ${releaseVersion} from its official release ...`]);
  expect((await findNatsServer(options)).source).toBe("cache");
  expect(readFileSync(`${first.path}.sha256`, "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
});

test("takes the newest of several cached versions", async () => {
  const { options, cache } = machine({ releases: await serveRelease() });
  const { path } = await findNatsServer(options);
  cpSync(folderOf(path), join(cache, "2.9.9"), { recursive: true });
  cpSync(folderOf(path), join(cache, "2.12.10"), { recursive: true });
  expect((await findNatsServer(options)).path).toBe(path);
});

test("replaces a cached binary that was damaged", async () => {
  const { options, notices } = machine({ releases: await serveRelease() });
  const { path } = await findNatsServer(options);
  writeFileSync(path, "#!/bin/sh\necho nats-server: v9.9.9\n");
  const again = await findNatsServer(options);
  expect(again).toEqual({ path, version: releaseVersion, source: "release" });
  expect(notices).toContain(`the cached ${path} is damaged; it will be replaced`);
  expect((await findNatsServer(options)).source).toBe("cache");
});

test("several searches at once fetch into one cache without harm", async () => {
  const { options } = machine({ releases: await serveRelease() });
  const found = await Promise.all(Array.from({ length: 6 }, () => findNatsServer(options)));
  expect(new Set(found.map(({ path }) => path)).size).toBe(1);
  expect((await findNatsServer(options)).source).toBe("cache");
});

test("removes what a killed fetch left behind long ago", async () => {
  const { options, cache } = machine({ releases: await serveRelease() });
  const left = join(cache, ".fetch-left");
  mkdirSync(left, { recursive: true });
  utimesSync(left, 0, 0);
  mkdirSync(join(cache, ".fetch-other"));
  await findNatsServer(options);
  expect(readdirSync(cache).sort()).toEqual([".fetch-other", releaseVersion]);
});

test("refuses a release whose checksum differs", async () => {
  const { options } = machine({ releases: await serveRelease("0".repeat(64)) });
  await expect(findNatsServer(options)).rejects.toThrow(
    /official release: the checksum of \S+ is not the one in SHA256SUMS/,
  );
});

test("when nothing works, lists each way and what to do", async () => {
  const { options, cache } = machine();
  const old = fakeServer(tempDir(), "2.9.10");
  const failing = findNatsServer({ ...options, env: { ...options.env, PATH: folderOf(old) } });
  await expect(failing).rejects.toThrow(
    new StartRefused(
      [
        "no nats-server 2.12.0 or newer was found:",
        `  - PATH: ${old} is version 2.9.10`,
        `  - cache: ${cache} holds no usable nats-server`,
        "  - official release: 127.0.0.1:2 cannot be reached (ECONNREFUSED)",
        `  - Debian package: no Debian mirror among the apt sources in ${options.aptFolder}`,
        "Install nats-server and set NATS_SERVER to its path, or join a running server with --nats URL.",
      ].join("\n"),
    ),
  );
});

/** A machine with nothing on it: no PATH, an empty cache, no apt sources, and no release site unless one is given. */
function machine({ releases = "http://127.0.0.1:2" }: { releases?: string } = {}) {
  const notices: string[] = [];
  const home = tempDir();
  const options = {
    env: { PATH: "", XDG_CACHE_HOME: home },
    aptFolder: tempDir(),
    releases,
    notice: (line: string) => void notices.push(line),
  } satisfies FindNatsServerOptions;
  return { options, notices, cache: join(home, "retrace", "nats-server") };
}

function fakeServer(folder: string, version: string): string {
  const path = join(folder, "nats-server");
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho nats-server: v${version}\n`);
  chmodSync(path, 0o755);
  return path;
}

function folderOf(path: string): string {
  return join(path, "..");
}

/** A release site on loopback with one archive, for this machine's platform; returns its address. */
async function serveRelease(sum?: string): Promise<string> {
  const folder = tempDir();
  fakeServer(join(folder, "unpacked"), releaseVersion);
  execFileSync("tar", ["-czf", "archive.tar.gz", "unpacked"], { cwd: folder });
  const archive = readFileSync(join(folder, "archive.tar.gz"));
  const line = sum ?? createHash("sha256").update(archive).digest("hex");
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const name = `nats-server-v${releaseVersion}-${process.platform}-${arch}.tar.gz`;
  const files = new Map<string, string | Buffer>([
    [`/v${releaseVersion}/${name}`, archive],
    [`/v${releaseVersion}/SHA256SUMS`, `${line}  ${name}\n`],
  ]);
  const server = createServer((request, response) => response.end(files.get(request.url ?? "")));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
