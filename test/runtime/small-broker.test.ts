import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startNats } from "../support/nats.ts";
import { launchRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";

test("a broker that could not carry every event is refused at start", async () => {
  const folder = tempDir();
  const confPath = join(folder, "nats.conf");
  writeFileSync(confPath, "max_payload: 64KB\njetstream {}\n");
  const nats = await startNats({ confPath });
  const runtime = launchRuntime({ dataDir: join(folder, "data"), nats: nats.url });
  runtime.ready.catch(() => {});

  expect(await runtime.exited).toMatchObject({ code: 1 });
  expect(runtime.stderr()).toContain("max_payload is 65536 bytes");
});
