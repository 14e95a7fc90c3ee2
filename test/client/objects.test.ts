import { randomBytes } from "node:crypto";
import { createReadStream, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Client, connect } from "../../src/wire/client.ts";
import { startNats } from "../support/nats.ts";
import { tempDir } from "../support/temp.ts";

let client: Client;

beforeAll(async () => {
  const nats = await startNats();
  client = await connect({ servers: nats.url });
});

afterAll(() => client.close());

const large = randomBytes(3 * 1024 * 1024);

test("what was put is fetched, byte for byte", async () => {
  const reference = await client.putObject(large, { mediaType: "application/octet-stream" });

  expect(reference).toEqual({
    ref: `nats-object:RETRACE_OBJECTS/${reference.sha256}`,
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    bytes: large.length,
    mediaType: "application/octet-stream",
  });
  expect(Buffer.compare(await client.getObject(reference), large)).toBe(0);
});

test.each([
  ["nothing", ""],
  ["text", "läuft"],
])("puts %s", async (_, text) => {
  const reference = await client.putObject(text);

  expect(Buffer.from(await client.getObject(reference)).toString()).toBe(text);
  expect(reference.bytes).toBe(Buffer.byteLength(text));
});

test("puts a file as it is read, and gives it back piece by piece", async () => {
  const file = join(tempDir(), "weights.bin");
  writeFileSync(file, large);
  const reference = await client.putObject(createReadStream(file));
  const pieces: Uint8Array[] = [];
  for await (const piece of client.readObject(reference)) pieces.push(piece);

  expect(pieces.length).toBeGreaterThan(10);
  expect(Buffer.compare(Buffer.concat(pieces), large)).toBe(0);
});

test("the same bytes are kept once, however often and from wherever they come", async () => {
  const bytes = randomBytes(100_000);
  const references = await Promise.all(Array.from({ length: 5 }, () => client.putObject(bytes)));

  for (const reference of references) expect(reference).toEqual(references[0]);
  const manager = await jetstreamManager(client.nats);
  const { state } = await manager.streams.info("OBJ_RETRACE_OBJECTS", { subjects_filter: "$O.RETRACE_OBJECTS.C.>" });
  const before = state.bytes;
  await client.putObject(bytes);
  const after = await manager.streams.info("OBJ_RETRACE_OBJECTS");
  expect(after.state.bytes - before).toBeLessThan(bytes.length / 2);
});

test("of several who put the same bytes at once none fails, and one copy is kept", async () => {
  const others = await Promise.all([1, 2, 3].map(() => connect({ servers: client.nats.getServer() })));
  const manager = await jetstreamManager(client.nats);
  const keptNow = async (): Promise<number> => {
    const { state } = await manager.streams.info("OBJ_RETRACE_OBJECTS", { subjects_filter: "$O.RETRACE_OBJECTS.>" });
    return Object.values(state.subjects ?? {}).reduce((a, b) => a + b, 0);
  };
  const before = await keptNow();
  for (let round = 0; round < 10; round++) {
    const bytes = randomBytes(1_000);
    const putting = [client, ...others].flatMap((one) => [one.putObject(bytes), one.putObject(bytes)]);
    const [reference, ...same] = await Promise.all(putting);
    for (const each of same) expect(each).toEqual(reference);
    expect(Buffer.compare(await client.getObject(reference ?? expect.fail()), bytes)).toBe(0);
  }
  // Of each round its name and one chunk.
  expect((await keptNow()) - before).toBe(2 * 10);
  await Promise.all(others.map((one) => one.close()));
});

test("tells when there is no such object, or it lies elsewhere", async () => {
  const nowhere = { ref: `nats-object:RETRACE_OBJECTS/${"0".repeat(64)}` };

  await expect(client.getObject(nowhere)).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(client.getObject({ ref: "s3://bucket/key" })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("tells when what arrives is not what the reference says", async () => {
  const reference = await client.putObject("as it was recorded");
  const sha256 = "f".repeat(64);

  await expect(client.getObject({ ...reference, sha256 })).rejects.toMatchObject({
    code: "OBJECT_DAMAGED",
    details: { ref: reference.ref, expected: sha256, actual: reference.sha256 },
  });
});

test("tells when pieces of it are lost, instead of waiting for them for ever", async () => {
  const reference = await client.putObject(randomBytes(300_000));
  const manager = await jetstreamManager(client.nats);
  await manager.streams.purge("OBJ_RETRACE_OBJECTS", { filter: "$O.RETRACE_OBJECTS.C.>" });

  await expect(client.getObject(reference, { timeoutMs: 200 })).rejects.toMatchObject({ code: "OBJECT_DAMAGED" });
});

test("a source that fails leaves nothing behind", async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield randomBytes(200_000);
    throw new Error("the disk is gone");
  }

  await expect(client.putObject(failing())).rejects.toThrow("the disk is gone");
});
