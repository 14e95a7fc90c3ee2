/** The built command line as a shell runs it: arguments, input, environment; and what came out. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** The folder with package.json and dist. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** How a command line ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command line gets beside its arguments. */
export interface Surroundings {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** The folder it runs in. */
  readonly cwd?: string;
}

/** Runs `retrace ...args` to its end, without a terminal and without the caller's own settings of Retrace. */
export async function runCli(
  args: readonly string[],
  { input = "", env = {}, cwd }: Surroundings = {},
): Promise<Ended> {
  const own = Object.entries(process.env).filter(([name]) => !/^(RETRACE_|NATS_CREDS)/.test(name));
  const child = spawn(process.execPath, [`${root}/dist/src/main.js`, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...Object.fromEntries(own), ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, stdout, stderr };
}
