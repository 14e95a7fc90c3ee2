/**
 * Fetches nats-server from its official GitHub release and checks it against that release's SHA256SUMS.
 */
import { createWriteStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { sha256Of } from "./binary-cache.ts";
import { runCommand } from "./run-command.ts";

/** The release that is fetched: the version Retrace is tested with. */
export const releaseVersion = "2.15.1";

/** Where official releases are downloaded from; the rest of the address is `/v<version>/<file>`. */
export const officialReleases = "https://github.com/nats-io/nats-server/releases/download";

const connectTimeoutMs = 4_000;
const downloadTimeoutMs = 180_000;

/**
 * Downloads and unpacks the release into `folder` and returns the path of the binary.
 * Gives up within seconds when the site cannot be reached; rejects when the checksum differs.
 */
export async function fetchRelease(folder: string, releases: string): Promise<string> {
  const archive = archiveName();
  const from = `${releases}/v${releaseVersion}`;
  const sums = await (await request(`${from}/SHA256SUMS`, connectTimeoutMs)).text();
  const expected = sumOf(sums, archive);
  const path = join(folder, archive);
  await download(`${from}/${archive}`, path);
  if ((await sha256Of(path)) !== expected) throw new Error(`the checksum of ${archive} is not the one in SHA256SUMS`);
  await runCommand("tar", ["-xf", archive], { cwd: folder, timeoutMs: 60_000 });
  return findBinary(folder);
}

function archiveName(): string {
  const os = process.platform === "win32" ? "windows" : process.platform;
  const arch = { x64: "amd64", ia32: "386", arm: "arm7" }[process.arch as string] ?? process.arch;
  return `nats-server-v${releaseVersion}-${os}-${arch}.${os === "windows" ? "zip" : "tar.gz"}`;
}

function sumOf(sums: string, archive: string): string {
  const line = sums.split("\n").find((candidate) => candidate.trim().split(/\s+\*?/)[1] === archive);
  if (!line) throw new Error(`the release has no ${archive}`);
  return line.trim().split(/\s+/)[0] ?? "";
}

async function download(url: string, path: string): Promise<void> {
  const response = await request(url, downloadTimeoutMs);
  if (!response.body) throw new Error(`${url} is empty`);
  await pipeline(Readable.fromWeb(response.body as ReadableStream), createWriteStream(path));
}

async function request(url: string, timeoutMs: number): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  } catch (error) {
    throw new Error(`${new URL(url).host} cannot be reached (${reasonOf(error)})`, { cause: error });
  }
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response;
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: Error & { code?: string } };
  return cause?.code ?? cause?.message ?? message;
}

async function findBinary(folder: string): Promise<string> {
  const files = await readdir(folder, { recursive: true });
  const binary = files.find((file) => /(^|[\\/])nats-server(\.exe)?$/.test(file));
  if (!binary) throw new Error("the release archive holds no nats-server");
  return join(folder, binary);
}
