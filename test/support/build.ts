/** Before all test files: the product is built and nats-server is there, so that workers neither build nor fetch side by side. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { findNatsServer } from "../../src/broker/find-nats-server.ts";

/** Called once by vitest. */
export default async function build(): Promise<void> {
  const setup = fileURLToPath(new URL("../../src/setup.mjs", import.meta.url));
  const { status } = spawnSync(process.execPath, [setup], { stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error("the build failed; its output is above");
  await findNatsServer({ notice: (line) => process.stderr.write(`${line}\n`) });
}
