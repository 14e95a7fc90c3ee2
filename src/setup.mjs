/**
 * Makes a checkout ready to run: checks Node, installs the locked dependencies and builds, each only when needed. It runs before any
 * dependency exists, so it is plain JavaScript on Node's own modules. All output goes to stderr: stdout belongs to what runs next.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const minimumNode = [20, 19];
const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** What tsconfig.json builds: the product, and the scripts of the tests with all that they import. */
const sourceFolders = ["src", "actors", "schemas", "test/bench", "test/crash", "test/support", "test/torture"];
/** Inside node_modules, so that it vanishes with what it vouches for. */
const stampPath = join(root, "node_modules", ".retrace-setup.json");
const lockPollMs = 200;

class SetupFailure extends Error {}

try {
  checkNode();
  holdingLock(() => {
    install();
    build();
  });
} catch (error) {
  process.stderr.write(`setup: ${error instanceof SetupFailure ? error.message : error.stack}\n`);
  process.exit(1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [wantedMajor, wantedMinor] = minimumNode;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  throw new SetupFailure(`Retrace needs Node ${minimumNode.join(".")} or newer; this is ${process.version}.`);
}

function install() {
  const lock = readFileSync(join(root, "package-lock.json"));
  const { platform, arch, versions } = process;
  const wanted = hash([lock, versions.modules, platform, arch]);
  if (readStamp().install === wanted) return;
  const [command, ...args] = npmCommand();
  // Dev dependencies hold the compiler, whatever NODE_ENV or an omit setting says.
  run(`npm ci`, command, [...args, "ci", "--include=dev"]);
  writeStamp({ install: wanted });
}

/** Inside an npm script npm names itself; its own entry needs no shell and no PATH. */
function npmCommand() {
  const entry = process.env.npm_execpath ?? "";
  return /npm-cli\.c?js$/.test(entry) ? [process.execPath, entry] : ["npm"];
}

function build() {
  const wanted = sourceFingerprint();
  const stamp = readStamp();
  if (stamp.build === wanted && existsSync(join(root, "dist", "src", "main.js"))) return;
  run("the build", process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.json"]);
  removeStaleOutputs();
  writeStamp({ ...stamp, build: wanted });
}

function sourceFingerprint() {
  const paths = ["tsconfig.json", "package-lock.json", ...sourceFolders.flatMap((folder) => filesUnder(folder))];
  const describe = (path) => {
    const { mtimeMs, size } = statSync(join(root, path));
    return `${path} ${mtimeMs} ${size}`;
  };
  return hash(paths.sort().map(describe));
}

/** Removes what an earlier build made from sources that are gone: the actor loader would still find it. */
function removeStaleOutputs() {
  for (const output of filesUnder("dist")) {
    const source = relative("dist", output).replace(/(\.d\.ts|\.js)(\.map)?$/, ".ts");
    if (!existsSync(join(root, source))) rmSync(join(root, output));
  }
}

function filesUnder(folder) {
  if (!existsSync(join(root, folder))) return [];
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
}

function run(what, command, args) {
  const isShellNeeded = process.platform === "win32" && command === "npm";
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: isShellNeeded,
  });
  if (status === 0) return;
  const reason = error?.message ?? signal ?? `status ${status}`;
  throw new SetupFailure(`${what} failed (${reason}); its output is above.`);
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stampPath, "utf8"));
  } catch {
    return {};
  }
}

function writeStamp(stamp) {
  writeFileSync(`${stampPath}.new`, `${JSON.stringify(stamp)}\n`);
  renameSync(`${stampPath}.new`, stampPath);
}

function hash(parts) {
  const sum = createHash("sha256");
  for (const part of parts) sum.update(part).update("\0");
  return sum.digest("hex");
}

/** One setup at a time per checkout; the lock lies outside of it because npm ci empties node_modules. */
function holdingLock(work) {
  const lock = join(tmpdir(), `retrace-setup-${process.getuid?.() ?? 0}-${hash([root]).slice(0, 16)}`);
  let isWaiting = false;
  while (!takeLock(lock)) {
    if (!isWaiting) process.stderr.write("setup: waiting for another setup of this checkout ...\n");
    isWaiting = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lockPollMs);
  }
  try {
    work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function takeLock(lock) {
  try {
    mkdirSync(lock);
  } catch (error) {
    if (error.code !== "EEXIST") throw new SetupFailure(`${lock} cannot be made: ${error.message}.`);
    if (isLockStale(lock)) rmSync(lock, { recursive: true, force: true });
    return false;
  }
  writeFileSync(join(lock, "pid"), String(process.pid));
  return true;
}

function isLockStale(lock) {
  const pid = readPid(lock);
  // Without a pid the lock is either just being taken or was left in that instant.
  if (pid === 0) return isOld(lock);
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

function readPid(lock) {
  try {
    return Number(readFileSync(join(lock, "pid"), "utf8"));
  } catch {
    return 0;
  }
}

function isOld(path) {
  const since = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
  return Date.now() - since > 5_000;
}
