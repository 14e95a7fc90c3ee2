/**
 * Finds a nats-server binary that is new enough: the one named by `NATS_SERVER`, on the PATH, in the per-user cache, from the official
 * release, or from Debian's archive. What was fetched is kept in the cache for the next start.
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { StartRefused } from "../core/fault.ts";
import { cacheFolder, makeDraft, readCache, storeInCache } from "./binary-cache.ts";
import { fetchDebian } from "./fetch-debian.ts";
import { fetchRelease, officialReleases, releaseVersion } from "./fetch-release.ts";
import { runCommand } from "./run-command.ts";
import { isSupportedServer, minimumNatsServer } from "./server-version.ts";

/** Where to look; everything has a default. */
export interface FindNatsServerOptions {
  /** Read for `NATS_SERVER`, `PATH`, `XDG_CACHE_HOME` and `HOME`; default: the process's own. */
  readonly env?: NodeJS.ProcessEnv;
  /** Told, a line at a time, what is skipped and what is being fetched; default: silent. */
  readonly notice?: (line: string) => void;
  /** Base address of the releases; default: the official one. */
  readonly releases?: string;
  /** Folder of apt's configuration; default `/etc/apt`. */
  readonly aptFolder?: string;
}

/** A binary whose version was checked by running it. */
export interface FoundNatsServer {
  readonly path: string;
  /** Without `v`: `2.15.1`. */
  readonly version: string;
  readonly source: "NATS_SERVER" | "PATH" | "cache" | "release" | "debian";
}

interface Search {
  readonly env: NodeJS.ProcessEnv;
  readonly notice: (line: string) => void;
  readonly releases: string;
  readonly aptFolder: string | undefined;
  /** The per-user cache folder. */
  readonly cache: string;
  /** One line for each way that led nowhere. */
  readonly failures: string[];
}

/**
 * Finds or fetches nats-server. Throws `StartRefused` when `NATS_SERVER` names something unusable (no other way is tried then), and when
 * every way failed, listing each and what to do.
 */
export async function findNatsServer(options: FindNatsServerOptions = {}): Promise<FoundNatsServer> {
  const { env = process.env } = options;
  if (env.NATS_SERVER) return checkNamed(env.NATS_SERVER);
  const search = openSearch(options);
  const found =
    (await findOnPath(search)) ??
    (await findInCache(search)) ??
    (await fetchOfficial(search)) ??
    (await fetchPackage(search));
  if (found) return found;
  throw new StartRefused(
    [
      `no nats-server ${minimumNatsServer} or newer was found:`,
      ...search.failures.map((failure) => `  - ${failure}`),
      `Install nats-server and set NATS_SERVER to its path, or join a running server with --nats URL.`,
    ].join("\n"),
  );
}

function openSearch({
  env = process.env,
  notice = () => {},
  releases = officialReleases,
  aptFolder,
}: FindNatsServerOptions): Search {
  return {
    env,
    notice,
    releases,
    aptFolder,
    cache: cacheFolder(env),
    failures: [],
  };
}

/** The version a binary reports for itself, without `v`. */
async function versionOf(path: string): Promise<string> {
  const output = await runCommand(path, ["--version"], { timeoutMs: 10_000 });
  const version = /v(\d+\.\d+\.\d+\S*)/.exec(output)?.[1];
  if (!version) throw new Error(`${path} does not report a nats-server version`);
  return version;
}

async function checkNamed(path: string): Promise<FoundNatsServer> {
  const version = await versionOf(path).catch((error: Error) => {
    throw new StartRefused(`NATS_SERVER=${path} cannot be used: ${error.message}.`, { cause: error });
  });
  if (isSupportedServer(version)) return { path, version, source: "NATS_SERVER" };
  throw new StartRefused(`NATS_SERVER=${path} is nats-server ${version}: Retrace needs ${minimumNatsServer} or newer.`);
}

async function findOnPath({ env, notice, failures }: Search): Promise<FoundNatsServer | undefined> {
  const name = process.platform === "win32" ? "nats-server.exe" : "nats-server";
  const folders = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const paths = folders.map((folder) => join(folder, name)).filter((path) => existsSync(path));
  for (const path of paths) {
    const version = await versionOf(path).catch((error: Error) => error.message);
    if (isSupportedServer(version)) return { path, version, source: "PATH" };
    const reason = /^\d/.test(version) ? `${path} is version ${version}` : version;
    notice(`skipping the nats-server on the PATH: ${reason}, and ${minimumNatsServer} or newer is needed`);
    failures.push(`PATH: ${reason}`);
  }
  if (paths.length === 0) failures.push("PATH: there is no nats-server on it");
  return undefined;
}

async function findInCache({ cache, notice, failures }: Search): Promise<FoundNatsServer | undefined> {
  const cached = await readCache(cache, notice);
  if (cached) {
    const version = await versionOf(cached.path).catch((error: Error) => error.message);
    if (isSupportedServer(version)) return { path: cached.path, version, source: "cache" };
    notice(`the cached ${cached.path} cannot be used: ${version}`);
  }
  failures.push(`cache: ${cache} holds no usable nats-server`);
  return undefined;
}

async function fetchOfficial(search: Search): Promise<FoundNatsServer | undefined> {
  search.notice(`fetching nats-server ${releaseVersion} from its official release ...`);
  return keepFetched(search, "release", (folder) => fetchRelease(folder, search.releases));
}

async function fetchPackage(search: Search): Promise<FoundNatsServer | undefined> {
  if (process.platform !== "linux") {
    search.failures.push("Debian package: this is not a Debian machine");
    return undefined;
  }
  search.notice("fetching nats-server 2.x from this machine's Debian mirror ...");
  return keepFetched(search, "debian", (folder) => fetchDebian(folder, search.aptFolder));
}

/** Runs one fetch in a folder of its own under the cache, and moves what it brought into the cache. */
async function keepFetched(
  { cache, notice, failures }: Search,
  source: "release" | "debian",
  fetchInto: (folder: string) => Promise<string>,
): Promise<FoundNatsServer | undefined> {
  const label = source === "release" ? "official release" : "Debian package";
  let folder: string | undefined;
  try {
    folder = await makeDraft(cache);
    const binary = await fetchInto(folder);
    const version = await versionOf(binary);
    if (!isSupportedServer(version)) throw new Error(`it is version ${version}`);
    return { path: await storeInCache(cache, binary, version), version, source };
  } catch (error) {
    failures.push(`${label}: ${(error as Error).message}`);
    notice(`the ${label} cannot be used: ${(error as Error).message}`);
    return undefined;
  } finally {
    if (folder) await rm(folder, { recursive: true, force: true });
  }
}
