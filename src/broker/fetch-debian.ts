/**
 * Fetches nats-server on Debian without root: apt-get with state, lists and cache in a folder of its own, from the machine's own mirror.
 * apt checks the archive's signature and with it the integrity of the package.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AptSourceFile, parseDebianMirrors } from "./apt-sources.ts";
import { runCommand } from "./run-command.ts";

/** The first Debian release whose nats-server is new enough. */
const suite = "forky";
const keyrings = ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];
const stepTimeoutMs = 180_000;

/** Downloads and unpacks Debian's package into `folder` and returns the path of the binary; rejects with one line why it cannot. */
export async function fetchDebian(folder: string, aptFolder = "/etc/apt"): Promise<string> {
  const mirrors = parseDebianMirrors(await readSourceFiles(aptFolder));
  const keyring = keyrings.find((path) => existsSync(path));
  if (mirrors.length === 0) throw new Error(`no Debian mirror among the apt sources in ${aptFolder}`);
  if (!keyring) throw new Error("the Debian archive keyring is not on this machine");
  const failures: string[] = [];
  for (const [index, mirror] of mirrors.entries()) {
    try {
      return await fetchFrom(join(folder, `mirror-${index}`), `deb [signed-by=${keyring}] ${mirror} ${suite} main\n`);
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  throw new Error(failures.join("; "));
}

async function fetchFrom(folder: string, source: string): Promise<string> {
  await mkdir(join(folder, "lists", "partial"), { recursive: true });
  await mkdir(join(folder, "cache", "archives", "partial"), { recursive: true });
  await writeFile(join(folder, "sources.list"), source);
  const apt = (...args: string[]) =>
    runCommand("apt-get", [...aptOptions(folder), ...args], { cwd: folder, timeoutMs: stepTimeoutMs });
  await apt("update");
  await apt("download", "nats-server");
  const packageFile = (await readdir(folder)).find((file) => file.endsWith(".deb"));
  if (!packageFile) throw new Error("apt-get downloaded no package");
  await runCommand("dpkg-deb", ["-x", packageFile, "out"], { cwd: folder, timeoutMs: stepTimeoutMs });
  return join(folder, "out", "usr", "sbin", "nats-server");
}

function aptOptions(folder: string): string[] {
  const options = [
    `Dir::Etc::SourceList=${join(folder, "sources.list")}`,
    "Dir::Etc::SourceParts=/dev/null",
    "Dir::Etc::Preferences=/dev/null",
    "Dir::Etc::PreferencesParts=/dev/null",
    `Dir::State=${folder}`,
    `Dir::State::Lists=${join(folder, "lists")}`,
    "Dir::State::status=/dev/null",
    `Dir::Cache=${join(folder, "cache")}`,
    "Acquire::Languages=none",
    // An update that cannot reach its mirror otherwise counts as done.
    "APT::Update::Error-Mode=any",
  ];
  return options.flatMap((option) => ["-o", option]);
}

async function readSourceFiles(aptFolder: string): Promise<AptSourceFile[]> {
  const parts = await readdir(join(aptFolder, "sources.list.d")).catch(() => []);
  const names = ["sources.list", ...parts.sort().map((part) => join("sources.list.d", part))];
  const wanted = names.filter((name) => /\.(list|sources)$/.test(name));
  return Promise.all(
    wanted.map(async (name) => ({ name, text: await readFile(join(aptFolder, name), "utf8").catch(() => "") })),
  );
}
