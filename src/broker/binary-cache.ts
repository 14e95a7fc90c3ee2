/**
 * The per-user cache of nats-server binaries: `<cache home>/retrace/nats-server/<version>/nats-server`, with its SHA-256 beside it.
 * Safe for several processes at once: files are made in a folder of their own and renamed into place.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { compareVersions, isSupportedServer } from "./server-version.ts";

const binaryName = process.platform === "win32" ? "nats-server.exe" : "nats-server";

const draftPrefix = ".fetch-";
/** Far longer than any fetch takes. */
const draftLifetimeMs = 24 * 60 * 60 * 1000;

/** A binary in the cache and the version of the folder that holds it. */
export interface CachedBinary {
  readonly path: string;
  readonly version: string;
}

/** The cache folder of this user: under `XDG_CACHE_HOME` when that is an absolute path, else under `~/.cache`. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const xdg = env.XDG_CACHE_HOME ?? "";
  const home = isAbsolute(xdg) ? xdg : join(env.HOME || homedir(), ".cache");
  return join(home, "retrace", "nats-server");
}

/** The newest supported and intact binary; damaged ones are named to `notice` and left out. */
export async function readCache(folder: string, notice: (line: string) => void): Promise<CachedBinary | undefined> {
  const versions = (await readdir(folder).catch(() => [])).filter(isSupportedServer).sort(compareVersions).reverse();
  for (const version of versions) {
    const path = join(folder, version, binaryName);
    if (await isIntact(path)) return { path, version };
    notice(`the cached ${path} is damaged; it will be replaced`);
  }
  return undefined;
}

/** Makes an empty folder inside the cache to fetch into, and removes those that killed fetches left behind. */
export async function makeDraft(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const drafts = (await readdir(folder))
    .filter((name) => name.startsWith(draftPrefix))
    .map((name) => join(folder, name));
  for (const draft of drafts) {
    const found = await stat(draft).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > draftLifetimeMs) await rm(draft, { recursive: true, force: true });
  }
  return mkdtemp(join(folder, draftPrefix));
}

/** Copies `binary` into the cache as `version` and returns its new path. */
export async function storeInCache(folder: string, binary: string, version: string): Promise<string> {
  const home = join(folder, version);
  await mkdir(home, { recursive: true, mode: 0o700 });
  const draft = await makeDraft(folder);
  try {
    await copyFile(binary, join(draft, binaryName));
    await chmod(join(draft, binaryName), 0o755);
    await writeFile(join(draft, "sha256"), `${await sha256Of(binary)}\n`);
    await rename(join(draft, "sha256"), sumPath(join(home, binaryName)));
    await rename(join(draft, binaryName), join(home, binaryName));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return join(home, binaryName);
}

/** The SHA-256 of a file in hex. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

async function isIntact(path: string): Promise<boolean> {
  try {
    const expected = (await readFile(sumPath(path), "utf8")).trim();
    return expected === (await sha256Of(path));
  } catch {
    return false;
  }
}

function sumPath(path: string): string {
  return `${path}.sha256`;
}
