/**
 * An npm registry on loopback: it offers Retrace as `npm pack` packs it, and what is installed in this checkout, each
 * package in the version it has here. So a user's `npm install` runs as it is written, and without a network.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, existsSync, readFileSync, symlinkSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { tempDir } from "../support/temp.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Below it, each package's archive under the path where it is installed. */
const archives = "-/archive/";

/** Package names with version ranges. */
type Ranges = Readonly<Record<string, string>>;

/** What npm reads of a package before it fetches it. A lock file has the same fields, these and more. */
interface Manifest {
  readonly version: string;
  readonly dependencies?: Ranges;
  readonly optionalDependencies?: Ranges;
}

/** Where a package is installed below the checkout, like `node_modules/lmdb`, with its manifest; empty for Retrace. */
type Place = readonly [path: string, manifest: Manifest];

/** Retrace, packed: the archive, and the paths of its files. */
export interface Packed {
  readonly archive: string;
  readonly files: readonly string[];
}

/** Packs this checkout as it would be published. It has to be built. */
export async function packRetrace(): Promise<Packed> {
  const folder = tempDir("retrace-pack-");
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const { stdout } = await promisify(execFile)("npm", args, { cwd: root, env: npmEnvironment(), maxBuffer: 1e8 });
  const reports = JSON.parse(stdout) as Readonly<Record<string, { filename: string; files: { path: string }[] }>>;
  const [packed] = Object.values(reports);
  if (packed === undefined) throw new Error(`npm pack said ${stdout}`);
  return { archive: join(folder, packed.filename), files: packed.files.map(({ path }) => path) };
}

/** A registry that is served. */
export interface Registry {
  readonly url: string;
  close(): void;
}

/** Serves what is installed here, and Retrace as it was packed. */
export async function serveRegistry(retrace: Packed): Promise<Registry> {
  const places = installedPlaces();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://registry").pathname).slice(1);
    const address = `http://${request.headers.host}`;
    const answer = path.startsWith(archives)
      ? sendArchive(response, path.slice(archives.length), retrace)
      : sendPackage(response, path, { places, address });
    answer.catch((error: Error) => response.destroy(error));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The environment of a user who has npm and nothing else: no settings of their own, of npm's scripts, or of Retrace. */
export function npmEnvironment(registry = "http://127.0.0.1:9/"): NodeJS.ProcessEnv {
  const home = tempDir("retrace-npm-");
  const foreign =
    /^(npm_|retrace_|vite|nats_creds$|init_cwd$|node_|(https?_|no_)proxy$|(test|dev|prod|ssr|mode|force_color)$)/i;
  const settings = {
    npm_config_registry: registry,
    npm_config_cache: join(home, "cache"),
    npm_config_userconfig: join(home, "npmrc"),
    npm_config_globalconfig: join(home, "global-npmrc"),
    npm_config_audit: "false",
    npm_config_fund: "false",
    npm_config_update_notifier: "false",
  };
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name))), ...settings };
}

function installedPlaces(): Place[] {
  const { packages } = readJson("package-lock.json") as { packages: Readonly<Record<string, Manifest>> };
  return Object.entries(packages).filter(([path]) => existsSync(join(root, path, "package.json")));
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(join(root, path), "utf8"));
}

interface Offer {
  readonly places: readonly Place[];
  /** Of the registry, as npm calls it. */
  readonly address: string;
}

async function sendPackage(response: ServerResponse, name: string, { places, address }: Offer): Promise<void> {
  const offered = places.filter(([path]) => nameOf(path) === name);
  if (offered.length === 0) {
    response.writeHead(404).end("{}");
    return;
  }
  const versions = offered.map(([path, manifest]): [string, unknown] => {
    const { version, dependencies, optionalDependencies, ...rest } = manifest;
    const pins = {
      dependencies: pinned(dependencies, path, places),
      optionalDependencies: pinned(optionalDependencies, path, places),
    };
    const dist = { tarball: `${address}/${archives}${path || name}` };
    return [version, { ...rest, name, version, ...pins, dist, devDependencies: {} }];
  });
  const latest = offered.toSorted(([a], [b]) => a.length - b.length)[0]?.[1].version;
  const body = { name, "dist-tags": { latest }, versions: Object.fromEntries(versions) };
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function nameOf(path: string): string {
  return path === "" ? "retrace" : path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

/** The dependencies that are there, in the versions that Node would find here: overrides have had their say. */
function pinned(ranges: Ranges | undefined, path: string, places: readonly Place[]): Ranges {
  const found = Object.keys(ranges ?? {}).map((name) => [name, versionSeenFrom(path, name, places)]);
  return Object.fromEntries(found.filter(([, version]) => version !== undefined));
}

function versionSeenFrom(path: string, name: string, places: readonly Place[]): string | undefined {
  const wanted = path === "" ? `node_modules/${name}` : `${path}/node_modules/${name}`;
  const here = places.find(([place]) => place === wanted);
  if (here !== undefined || path === "") return here?.[1].version;
  return versionSeenFrom(path.slice(0, Math.max(0, path.lastIndexOf("node_modules/") - 1)), name, places);
}

async function sendArchive(response: ServerResponse, path: string, retrace: Packed): Promise<void> {
  if (path === "retrace") return await pipeline(createReadStream(retrace.archive), response);
  const stage = tempDir("retrace-archive-");
  symlinkSync(join(root, path), join(stage, "package"));
  const args = ["-chf", "-", "--exclude=package/node_modules", "-C", stage, "package"];
  const tar = spawn("tar", args, { stdio: ["ignore", "pipe", "inherit"] });
  await pipeline(tar.stdout, response);
}
