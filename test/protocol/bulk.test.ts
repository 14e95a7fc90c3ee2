/** PROTOCOL.md, Many commands at once, over a plain socket. */
import { beforeAll, expect, test } from "vitest";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { type Edge, errorOf, fresh, openEdge, type ReplyBody, read } from "./edge.ts";

let edge: Edge;

beforeAll(async () => {
  const runtime = await startRuntime({ dataDir: tempDir() });
  edge = await openEdge(runtime.url);
});

async function bulk(commands: readonly unknown[]): Promise<readonly ReplyBody[]> {
  const reply = read(await edge.request("bulk", { commands }));
  return (reply as unknown as { readonly replies: readonly ReplyBody[] }).replies;
}

test("answers each command as if it had come alone, in order", async () => {
  const id = fresh("run");
  const send = (type: string, data?: unknown, headers?: unknown) => ({
    category: "training-run",
    id,
    type,
    data,
    headers,
  });
  const started = send("StartTraining", { seed: 7 }, { "Nats-Msg-Id": "s", "Retrace-Actor": "ada" });

  const replies = await bulk([
    started,
    started,
    send("RecordProgress", { step: 1 }, { "Retrace-Expected-Version": "7" }),
    send("RecordProgress", { step: 1, extra: true }),
    send(
      "RecordProgress",
      { step: 2 },
      { "Retrace-Occurred-At": "2026-01-31T12:00:00Z", "Retrace-Expected-Version": "1" },
    ),
    send("CancelTraining"),
    { category: "training-run", type: "StartTraining" },
    { category: "nothing", id, type: "StartTraining" },
    "nonsense",
  ]);

  expect(replies.map(({ version, duplicate, error }) => error?.code ?? [version, duplicate])).toEqual([
    [1, undefined],
    [1, true],
    "WRONG_EXPECTED_VERSION",
    "INVALID_COMMAND",
    [2, undefined],
    [3, undefined],
    "INVALID_COMMAND",
    "UNKNOWN_CATEGORY",
    "INVALID_COMMAND",
  ]);
  const { events } = await edge.query("history", { category: "training-run", id });
  expect(events.map(({ type }) => type)).toEqual(["TrainingStarted", "TrainingProgress", "TrainingCancelled"]);
  expect(events[0]?.metadata).toMatchObject({ commandId: "s", actor: { id: "ada", verified: false } });
  expect(events[1]?.occurredAt).toBe("2026-01-31T12:00:00.000Z");
});

test.each([
  ["not JSON", "{"],
  ["no list", {}],
  ["an empty list", { commands: [] }],
  ["an unknown field", { commands: [{}], more: 1 }],
  ["more than a thousand", { commands: Array.from({ length: 1_001 }, () => ({})) }],
])("refuses %s as a whole", async (_, body) => {
  const message = await edge.request("bulk", body);

  expect(errorOf(message, "INVALID_COMMAND")).toMatchObject({ issues: [{ message: expect.any(String) }] });
});

test("a thousand at once, and bodies above 256 KiB together but not alone", async () => {
  const ids = Array.from({ length: 1_000 }, () => fresh("many"));
  const config = { notes: "x".repeat(1_000) };
  const replies = await bulk(
    ids.map((id) => ({ category: "training-run", id, type: "StartTraining", data: { config } })),
  );
  expect(replies.map(({ stream, version }) => [stream, version])).toEqual(ids.map((id) => [`training-run-${id}`, 1]));

  const large = { config: { notes: "x".repeat(300_000) } };
  const [refused, taken] = await bulk([
    { category: "training-run", id: fresh(), type: "StartTraining", data: large },
    { category: "training-run", id: fresh(), type: "StartTraining", data: { config } },
  ]);
  expect(refused?.error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", details: { limit: 262_144 } });
  expect(taken?.version).toBe(1);
});
