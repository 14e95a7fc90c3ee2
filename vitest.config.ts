import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { ClosingLine } from "./test/support/closing-line.ts";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^retrace$/, replacement: source("./src/index.ts") },
      { find: /^retrace\/testing$/, replacement: source("./src/testing/index.ts") },
      { find: /^retrace\/schemas$/, replacement: source("./schemas/index.ts") },
    ],
  },
  test: {
    reporters: ["default", new ClosingLine()],
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/build.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most of a test's time is spent waiting: for processes to start, for disks, for what must not happen.
    maxWorkers: 3,
  },
});
