import { test } from "vitest";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
test("x", async () => { const r = await startRuntime({ dataDir: tempDir() }); console.log(r.url, r.ready); console.log(await r.stop()); });
test("y", async () => { const r = await startRuntime({ dataDir: tempDir() }); await r.kill(); });
