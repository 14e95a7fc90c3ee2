/**
 * Runs one short-lived system command, as the search for nats-server needs it (its own version, apt-get, dpkg-deb, tar).
 */
import { execFile } from "node:child_process";

/** What a command needs beyond its name and arguments. */
export interface CommandOptions {
  readonly timeoutMs: number;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Resolves with stdout and stderr together once the command ended with status 0.
 * Rejects with one line: the command's last error line, or why it could not be run.
 */
export function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { timeoutMs, ...rest } = options;
  return new Promise((resolve, reject) => {
    execFile(command, args, { ...rest, timeout: timeoutMs, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      if (error) reject(new Error(explain(command, { error, stderr, timeoutMs }), { cause: error }));
      else resolve(`${stdout}${stderr}`);
    });
  });
}

interface Failure {
  readonly error: Error & { code?: unknown; killed?: boolean };
  readonly stderr: string;
  readonly timeoutMs: number;
}

function explain(command: string, { error, stderr, timeoutMs }: Failure): string {
  if (error.code === "ENOENT") return `${command} is not on this machine`;
  if (error.code === "EACCES") return `${command} may not be executed`;
  if (error.killed) return `${command} did not finish within ${timeoutMs / 1000} s`;
  const lines = stderr.trim().split("\n");
  const telling = lines.find((line) => line.startsWith("E:")) ?? lines.at(-1);
  return `${command} failed: ${telling || error.message}`;
}
