import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Fault } from "../../src/core/fault.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { appended, sampleEvent } from "../../src/testing/conformance/sample.ts";
import { tempDir } from "../support/temp.ts";
import { assertConsistent } from "./consistency.ts";
import { startStoreProcess } from "./process.ts";
import { mountSmallDisk, type SmallDisk } from "./small-disk.ts";

const open = (path: string) => openLmdbStore({ path, newId: () => "id" });

function refusal(path: string): Fault {
  try {
    void open(path).close();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error(`${path} was opened`);
}

/** Tests that need a file system of their own; skipped, with the reason, where none can be mounted. */
function testOnDisk(name: string, sizeMiB: number, check: (disk: SmallDisk) => Promise<void>): void {
  test(name, async (context) => {
    const disk = mountSmallDisk(sizeMiB);
    if (typeof disk === "string") return context.skip(disk);
    try {
      await check(disk);
    } finally {
      disk.unmount();
    }
  });
}

test("refuses a path that is a file or lies under one", () => {
  const file = join(tempDir(), "file");
  writeFileSync(file, "");
  for (const path of [file, join(file, "store")]) {
    expect(refusal(path)).toMatchObject({ code: "STORE_UNAVAILABLE", message: expect.stringContaining(path) });
  }
});

test.each([
  ["another program's", "x".repeat(10_000)],
  ["cut short", "x"],
  ["zeroed", Buffer.alloc(20_000)],
])("refuses a file that is %s instead of crashing on it", (_, content) => {
  const path = tempDir();
  writeFileSync(join(path, "retrace.mdb"), content);

  expect(refusal(path)).toMatchObject({ code: "STORE_UNAVAILABLE", message: expect.stringContaining("damaged") });
});

testOnDisk("refuses a read-only disk, with a store on it and without", 80, async (disk) => {
  const store = open(join(disk.path, "store"));
  await appended(store, [sampleEvent("a-1")]);
  await store.close();
  disk.makeReadOnly();

  for (const name of ["store", "other"]) {
    expect(refusal(join(disk.path, name))).toMatchObject({ code: "STORE_UNAVAILABLE" });
  }
});

testOnDisk("refuses to open on a full disk, where mapping its files could crash", 8, async (disk) => {
  expect(refusal(disk.path)).toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringContaining("full"),
  });
});

testOnDisk(
  "refuses appends while the disk is full, loses nothing, and goes on when there is room",
  100,
  async (disk) => {
    const path = join(disk.path, "store");
    const ballast = join(disk.path, "ballast");
    writeFileSync(ballast, Buffer.alloc(8 * 1024 * 1024));
    const filler = await startStoreProcess("fill", path);
    await filler.hasTold(2);
    filler.say("still full?");
    await filler.hasTold(3);
    rmSync(ballast);
    filler.say("there is room");
    await filler.hasTold(4);

    const [full, stillFull, fullAgain] = filler.told.slice(1) as unknown as Refused[];
    for (const refused of [full, stillFull, fullAgain]) {
      expect(refused).toMatchObject({ code: "STORE_UNAVAILABLE", readable: refused?.acknowledged });
    }
    expect(stillFull?.acknowledged).toBe(full?.acknowledged);
    expect(fullAgain?.acknowledged).toBeGreaterThan((full?.acknowledged ?? 0) + 50);
    await filler.kill();
    const store = open(path);
    expect(store.position()).toBe(fullAgain?.acknowledged);
    assertConsistent(store);
    await store.close();
  },
);

interface Refused {
  readonly code: string;
  readonly acknowledged: number;
  readonly readable: number;
}
