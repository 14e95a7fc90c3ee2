/** A process with a store of its own, for tests that need several, or one to kill. It speaks JSON lines over stdin and stdout. */
import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import type { NewEvent } from "../../src/core/message.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { sampleEvent } from "../../src/testing/conformance/sample.ts";

const [mode = "", path = "", count = "0"] = process.argv.slice(2);
const store = openLmdbStore({ path, newId: randomUUID, pollMs: 5 });
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Written at once, so that nothing told is lost when this process is killed. */
function tell(message: object): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Appends with the version it has just read, and tells which it won. */
async function race(): Promise<void> {
  const won: unknown[] = [];
  let conflicts = 0;
  for (let i = 0; won.length < Number(count); i++) {
    const stream = `a-${i % 3}`;
    const version = store.head(stream).version + 1;
    // Another process may append between the read above and the append below.
    await turn();
    const result = await store.append([sampleEvent(stream, { version, data: { by: process.pid } })]);
    if (result.outcome === "conflict") conflicts += 1;
    else won.push(...result.events.map(({ id, position }) => ({ id, stream, version, position })));
  }
  tell({ won, conflicts });
}

/** Events of several streams, types and conversations, and a row that counts the transactions. */
function batch(n: number): NewEvent[] {
  return Array.from({ length: 1 + (n % 5) }, (_, i) => {
    const id = randomUUID();
    const metadata = { correlationId: `c${n % 4}`, causationId: id, commandId: id };
    const data = { n, text: "x".repeat((n * 97) % 3_000) };
    return sampleEvent(`${"abc"[i % 3]}-${n % 7}`, { id, type: `T${i % 4}`, metadata, data });
  });
}

/** Commits, as often as it is told or for ever, and tells what is durable. */
async function write(): Promise<void> {
  const commits = Number(count) || Number.POSITIVE_INFINITY;
  for (let i = 0; i < commits; i++) {
    const told = await store.withTransaction((tx) => {
      const row = ((tx.get("rows", ["count"]) as number | undefined) ?? 0) + 1;
      tx.put("rows", ["count"], row);
      tx.put("rows", ["commit", row], row);
      const result = store.append(batch(row), tx);
      if (result.outcome === "conflict") throw new Error("a conflict without a version");
      return { row, events: result.events.map(({ id, position }) => ({ id, position })) };
    });
    tell(told);
    await turn();
  }
}

/** On each line it is given, appends until the store refuses; tells the refusal and what is durable. */
async function fill(): Promise<void> {
  let acknowledged = 0;
  for (;;) {
    try {
      const result = await store.append([sampleEvent("a-1", { data: "x".repeat(100_000) })]);
      if (result.outcome === "appended") acknowledged = store.position();
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      tell({ code, message, acknowledged, readable: [...store.readAll()].length });
      if ((await lines.next()).done === true) return;
    }
  }
}

tell({ ready: true });
if (mode === "race") {
  await lines.next();
  await race();
} else if (mode === "write") await write();
else if (mode === "fill") await fill();
await store.close();
process.stdin.destroy();
