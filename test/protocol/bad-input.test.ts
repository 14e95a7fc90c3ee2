/** Whatever comes in: a coded error that says what to do, nothing appended, and the runtime serves on. */
import { Packr } from "msgpackr";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../src/wire/client.ts";
import { startNats } from "../support/nats.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { type Body, type Edge, errorOf, fresh, openEdge, type ReplyBody, read } from "./edge.ts";
import { type RawHeaders, RawNats } from "./raw-nats.ts";

const kib = 1024;
const { pack, unpack } = new Packr({ useRecords: false });
const packed = { "Content-Type": "application/msgpack" };
let runtime: TestRuntime;
let edge: Edge;
let run: string;

beforeAll(async () => {
  runtime = await startRuntime({ dataDir: tempDir() });
  edge = await openEdge(runtime.url);
});

beforeEach(async () => {
  const id = fresh("run");
  await edge.command(`training-run.${id}.StartTraining`);
  run = `training-run.${id}`;
});

interface Request {
  readonly subject: string;
  readonly body?: Body;
  readonly headers?: RawHeaders;
}

/** Sends what must be refused; checks that it is, that the log stayed as it was and that good commands still work. */
async function refused({ subject, body, headers }: Request, code: string): Promise<Readonly<Record<string, unknown>>> {
  const before = await edge.position();
  const details = errorOf(await edge.request(subject, body, headers), code);
  expect(await edge.position()).toBe(before);
  expect((await edge.command(`dataset.${fresh("d")}.IngestData`)).position).toBe(before + 1);
  return details;
}

/** The paths of the issues with which a step is refused. */
async function issuesOfStep(body: Body, headers?: RawHeaders): Promise<readonly string[]> {
  const request = { subject: `cmd.${run}.RecordProgress`, body, ...(headers === undefined ? {} : { headers }) };
  const { issues } = await refused(request, "INVALID_COMMAND");
  return (issues as readonly { path: string; message: string }[]).map(({ path, message }) => {
    expect(message).toMatch(/\S/);
    return path;
  });
}

const nested = (levels: number, [open, close]: readonly [string, string]) =>
  `${open.repeat(levels)}${close.repeat(levels)}`;

describe("a body", () => {
  test.each<[string, Body]>([
    ["text", "step one"],
    ["cut off", '{"step": 1'],
    ["with something behind it", '{"step": 1} {}'],
    ["with a comma too much", '{"step": 1,}'],
    ["in single quotes", "{'step': 1}"],
    ["NaN", '{"step": NaN}'],
    ["Infinity", '{"step": -Infinity}'],
    ["a single zero byte", Buffer.from([0])],
    ["invalid UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ["an overlong encoding", Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ["UTF-16", Buffer.from('{"step":1}', "utf16le")],
    ["100,000 open brackets", "[".repeat(100_000)],
    ["100,000 nested arrays", nested(100_000, ["[", "]"])],
    ["40,000 nested objects", `${'{"a":'.repeat(40_000)}1${"}".repeat(40_000)}`],
    ["a lone surrogate", '{"step": 1, "metrics": {"\\ud800": 1}}'],
    ["a __proto__ key", '{"step": 1, "__proto__": {"polluted": true}}'],
    ["a __proto__ key further down", '{"step": 1, "metrics": {"__proto__": {"polluted": 1}}}'],
  ])("that is %s is refused as a whole", async (_, body) => {
    expect(await issuesOfStep(body)).toEqual([""]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test.each<[string, Body]>([
    ["an array", []],
    ["a string", '"step"'],
    ["a number", "1"],
    ["null", "null"],
    ["true", "true"],
  ])("that is %s instead of an object is refused as a whole", async (_, body) => {
    expect(await issuesOfStep(body)).toEqual([""]);
  });

  test.each<[string, Body, readonly string[]]>([
    ["a missing field", {}, ["step"]],
    ["a wrong type", { step: "1" }, ["step"]],
    ["a negative count", { step: -1 }, ["step"]],
    ["a fraction for an integer", { step: 0.5 }, ["step"]],
    ["an integer beyond what numbers hold", '{"step": 9007199254740993}', ["step"]],
    ["a number beyond all bounds", '{"step": 1e999}', ["step"]],
    ["null for a number", { step: 1, loss: null }, ["loss"]],
    ["an extra field", { step: 1, stepp: 2 }, ["stepp"]],
    ["several extra fields", { step: 1, a: 1, b: 2 }, ["a", "b"]],
    ["a wrong type inside", { step: 1, metrics: { accuracy: [] } }, ["metrics.accuracy"]],
    ["constructor as a field", '{"step": 1, "constructor": {"prototype": {}}}', ["constructor"]],
  ])("with %s is refused at its path", async (_, body, paths) => {
    expect(await issuesOfStep(body)).toEqual(paths);
  });

  test("with 25,000 unknown fields is refused with a bounded list", async () => {
    const body = `{"step":1,${Array.from({ length: 25_000 }, (_, i) => `"${i}":1`).join(",")}}`;
    const details = await refused({ subject: `cmd.${run}.RecordProgress`, body }, "INVALID_COMMAND");

    expect((details.issues as unknown[]).length).toBeLessThanOrEqual(100);
  });

  test("with a field name of 200 KiB is refused in a small reply", async () => {
    const name = "x".repeat(200 * kib);
    const message = await edge.request(`cmd.${run}.RecordProgress`, { step: 1, [name]: 1 });

    errorOf(message, "INVALID_COMMAND");
    expect(message.body.length).toBeLessThan(4 * kib);
  });

  test("nested 64 levels deep is taken, 65 are refused", async () => {
    const config = (levels: number) => `{"config": ${nested(levels - 1, ["[", "]"])}}`;
    expect((await edge.command(`training-run.${fresh("run")}.StartTraining`, config(64))).version).toBe(1);

    const subject = `cmd.training-run.${fresh("run")}.StartTraining`;
    const { issues } = await refused({ subject, body: config(65) }, "INVALID_COMMAND");
    expect(issues).toMatchObject([{ path: "" }]);
  });
});

describe("a MessagePack body", () => {
  const key = (name: string) => [0xa0 + name.length, ...Buffer.from(name)];

  async function issuesOfPacked(body: Buffer): Promise<readonly string[]> {
    const before = await edge.position();
    const message = await edge.request(`cmd.${run}.RecordProgress`, body, packed);
    const { error } = unpack(message.body) as ReplyBody;
    expect(message.headers.get("Nats-Service-Error-Code")).toBe("400");
    expect(error?.code).toBe("INVALID_COMMAND");
    expect(await edge.position()).toBe(before);
    const taken = await edge.request(`cmd.dataset.${fresh("d")}.IngestData`, pack({ rowCount: 1 }), packed);
    expect(unpack(taken.body)).toMatchObject({ position: before + 1 });
    return (error?.details.issues as readonly { path: string }[]).map(({ path }) => path);
  }

  test.each<[string, readonly number[]]>([
    ["cut off", [0x81, 0xa4]],
    ["followed by something", [0x80, 0x80]],
    ["a type that does not exist", [0xc1]],
    ["an unknown extension", [0xd4, 0x55, 0x00]],
    ["a time", [0xd6, 0xff, 0, 0, 0, 1]],
    ["bytes", [0xc4, 1, 0]],
    ["an array", [0x90]],
    ["nil", [0xc0]],
    ["a number", [0x07]],
    ["an array that announces four billion elements", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["a map that announces four billion fields", [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ["a string that announces four gigabytes", [0xdb, 0xff, 0xff, 0xff, 0xff]],
    ["a map with a __proto__ key", [0x82, ...key("step"), 1, ...key("__proto__"), 0x80]],
    ["a time further down", [0x82, ...key("step"), 1, ...key("resources"), 0xd6, 0xff, 0, 0, 0, 1]],
    ["text that is not UTF-8", [0x81, ...key("loss"), 0xa3, 0xed, 0xa0, 0x80]],
    ["a field whose name is not UTF-8", [0x81, 0xa1, 0xff, 1]],
    ["bytes further down", [0x82, ...key("step"), 1, ...key("resources"), 0xc4, 1, 0]],
  ])("that is %s is refused as a whole", async (_, bytes) => {
    expect(await issuesOfPacked(Buffer.from(bytes))).toEqual([""]);
  });

  test("of 100,000 nested arrays is refused as a whole", async () => {
    expect(await issuesOfPacked(Buffer.alloc(100_000, 0x91))).toEqual([""]);
  });

  test.each<[string, readonly number[], string]>([
    ["NaN", [0x81, ...key("step"), 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], "step"],
    ["Infinity", [0x82, ...key("step"), 1, ...key("loss"), 0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0], "loss"],
    ["an integer beyond 2^53", [0x81, ...key("step"), 0xcf, 0x7f, 0, 0, 0, 0, 0, 0, 0], "step"],
  ])("with %s is refused at its path", async (_, bytes, path) => {
    expect(await issuesOfPacked(Buffer.from(bytes))).toEqual([path]);
  });

  test("with NaN deep in a free-form field is refused", async () => {
    const body = pack({ config: { layers: [1, { rate: Number.NaN }] } });
    const message = await edge.request(`cmd.training-run.${fresh("run")}.StartTraining`, body, packed);

    expect(unpack(message.body)).toMatchObject({
      error: { code: "INVALID_COMMAND", details: { issues: [{ path: expect.stringMatching(/^config/) }] } },
    });
  });
});

describe("a large body", () => {
  const ingest = (bytes: number) => `{"source":"${"x".repeat(bytes - '{"source":""}'.length)}"}`;

  test("of 256 KiB is taken, one byte more is PAYLOAD_TOO_LARGE", async () => {
    expect((await edge.command(`dataset.${fresh("d")}.IngestData`, ingest(256 * kib))).version).toBe(1);

    const subject = `cmd.dataset.${fresh("d")}.IngestData`;
    const details = await refused({ subject, body: ingest(256 * kib + 1) }, "PAYLOAD_TOO_LARGE");
    expect(details).toEqual({ bytes: 256 * kib + 1, limit: 256 * kib });
  });

  test("up to the broker's max_payload is PAYLOAD_TOO_LARGE, for commands and queries", async () => {
    const bytes = 8 * kib * kib;
    expect(edge.raw.info.max_payload).toBe(bytes);

    const command = await refused({ subject: `cmd.dataset.x.IngestData`, body: ingest(bytes) }, "PAYLOAD_TOO_LARGE");
    expect(command).toEqual({ bytes, limit: 256 * kib });
    const query = await refused({ subject: "qry.events", body: ingest(bytes) }, "PAYLOAD_TOO_LARGE");
    expect(query).toEqual({ bytes, limit: 256 * kib });
  });

  test("that becomes larger when it is written as JSON is measured as JSON", async () => {
    const body = pack({ source: "\u0001".repeat(100 * kib) });
    const message = await edge.request(`cmd.dataset.${fresh("d")}.IngestData`, body, packed);

    expect(unpack(message.body)).toMatchObject({
      error: { code: "PAYLOAD_TOO_LARGE", details: { bytes: 600 * kib + 13, limit: 256 * kib } },
    });
    const numbers = `{"source":[${"1e20,".repeat(40 * kib)}1]}`;
    await refused({ subject: `cmd.dataset.${fresh("d")}.IngestData`, body: numbers }, "PAYLOAD_TOO_LARGE");
  });

  test("above max_payload cuts off a raw connection, and the runtime does not notice", async () => {
    const other = await RawNats.connect(runtime.url);
    const before = await edge.position();
    other.publish("retrace.cmd.dataset.x.IngestData", Buffer.alloc(8 * kib * kib + 1, 0x20));

    expect(await other.closed).toMatch(/^$|maximum payload/i);
    expect((await edge.command(`dataset.${fresh("d")}.IngestData`)).position).toBe(before + 1);
  });

  test("above max_payload makes the client of Retrace throw before it sends", async () => {
    const client = await connect({ servers: runtime.url });
    const source = "x".repeat(8 * kib * kib);
    const sent = client.send("dataset", fresh("d"), { type: "IngestData", data: { source } });

    await expect(sent).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
      details: { bytes: 8 * kib * kib + 13, limit: 8 * kib * kib },
    });
    await client.close();
  });

  test("in a burst of 512 is answered one by one", async () => {
    const before = await edge.position();
    const [good, bad] = [ingest(128 * kib), ingest(300 * kib)];
    const messages = await Promise.all(
      Array.from({ length: 512 }, (_, i) => edge.request(`cmd.dataset.burst-${i}.IngestData`, i % 2 ? good : bad)),
    );

    for (const [i, message] of messages.entries()) {
      if (i % 2) expect(read(message).version).toBe(1);
      else errorOf(message, "PAYLOAD_TOO_LARGE");
    }
    expect(await edge.position()).toBe(before + 256);
  });
});

describe("a subject", () => {
  test.each<[string, string]>([
    ["one token", "cmd.dataset"],
    ["two tokens", "cmd.dataset.x"],
    ["four tokens", "cmd.dataset.x.IngestData.now"],
    ["forty tokens", `cmd.dataset${".x".repeat(40)}`],
    ["an id of 129 characters", `cmd.dataset.${"x".repeat(129)}.IngestData`],
    ["an id of 30,000 characters", `cmd.dataset.${"x".repeat(3_000)}.IngestData`],
    ["an id that is not ASCII", "cmd.dataset.größe.IngestData"],
    ["an id with a slash", "cmd.dataset.a/b.IngestData"],
    ["an id with a colon", "cmd.dataset.a:b.IngestData"],
    ["an id with a control character", "cmd.dataset.a\u0001b.IngestData"],
  ])("with %s is INVALID_COMMAND", async (_, subject) => {
    const details = await refused({ subject }, "INVALID_COMMAND");
    expect(details).toMatchObject({ issues: [{ path: "subject", message: expect.any(String) }] });
  });

  test.each(["cmd.dataset.x.", "cmd.dataset..IngestData"])("with an empty token, %s, is nobody's", async (subject) => {
    expect((await edge.request(subject)).statusLine).toBe("NATS/1.0 503");
  });

  test("of many categories that do not exist is an error each, and costs nothing that stays", async () => {
    const messages = await Promise.all(
      Array.from({ length: 5_000 }, (_, i) => edge.request(`cmd.category-${i}.x.Do`, {})),
    );
    for (const message of messages) errorOf(message, "UNKNOWN_CATEGORY");
    const { commands } = (await edge.query("health")) as unknown as { commands: { queued: number } };

    expect(commands.queued).toBe(0);
  });

  // Of a completed run, model-promotion would append events of its own meanwhile.
  test("of a state that does not allow the command is NOT_ALLOWED_IN_STATE", async () => {
    await edge.command(`${run}.CancelTraining`);
    const details = await refused({ subject: `cmd.${run}.RecordProgress`, body: { step: 1 } }, "NOT_ALLOWED_IN_STATE");

    expect(details).toEqual({ state: "cancelled", event: "TrainingProgress", accepts: [] });
  });
});

describe("a header", () => {
  const long = "x".repeat(10 * kib);

  test.each<[string, string, string]>([
    ["empty", "Nats-Msg-Id", ""],
    ["blank", "Nats-Msg-Id", "   "],
    ["257 characters long", "Nats-Msg-Id", "x".repeat(257)],
    ["10 KiB long", "Nats-Msg-Id", long],
    ["with a tab", "Nats-Msg-Id", "a\tb"],
    ["with a zero byte", "Nats-Msg-Id", "a\u0000b"],
    ["with a delete", "Nats-Msg-Id", "a\u007fb"],
    ["empty", "Retrace-Correlation-Id", ""],
    ["10 KiB long", "Retrace-Correlation-Id", long],
    ["with an escape", "Retrace-Correlation-Id", "a\u001b[31mb"],
    ["10 KiB long", "Retrace-Causation-Id", long],
    ["10 KiB long", "Retrace-Actor", long],
    ["with a bell", "Retrace-Actor", "a\u0007"],
    ["negative", "Retrace-Expected-Version", "-1"],
    ["a fraction", "Retrace-Expected-Version", "1.5"],
    ["a word", "Retrace-Expected-Version", "latest"],
    ["empty", "Retrace-Expected-Version", ""],
    ["beyond all numbers", "Retrace-Expected-Version", "9".repeat(40)],
    ["a word", "Retrace-Occurred-At", "yesterday"],
    ["before all years", "Retrace-Occurred-At", "0000-01-01T00:00:00+01:00"],
    ["a date alone", "Retrace-Occurred-At", "2026-01-31"],
    ["without a zone", "Retrace-Occurred-At", "2026-01-31T12:00:00"],
    ["without seconds", "Retrace-Occurred-At", "2026-01-31T12:00Z"],
    ["a number", "Retrace-Occurred-At", "1767225600"],
    ["a day that does not exist", "Retrace-Occurred-At", "2026-02-31T12:00:00Z"],
    ["the 29th of February of a common year", "Retrace-Occurred-At", "2025-02-29T12:00:00Z"],
    ["an hour that does not exist", "Retrace-Occurred-At", "2026-01-31T25:00:00Z"],
    ["a zone that does not exist", "Retrace-Occurred-At", "2026-01-31T12:00:00+99:00"],
    ["in the future", "Retrace-Occurred-At", "2999-01-01T00:00:00Z"],
    ["empty", "Retrace-Occurred-At", ""],
    ["a word", "traceparent", "abc"],
    ["in capitals", "traceparent", `00-${"A".repeat(32)}-${"B".repeat(16)}-01`],
    ["10 KiB long", "traceparent", `00-${"a".repeat(32)}-${"b".repeat(16)}-01-${long}`],
    ["that names another type", "Content-Type", "text/plain"],
    ["that names no type", "Content-Type", "json"],
    ["that names a type nobody reads", "Content-Type", "application/octet-stream"],
  ])("%s is refused: %s", async (_, name, value) => {
    const request = { subject: `cmd.${run}.RecordProgress`, body: { step: 1 }, headers: { [name]: value } };
    const details = await refused(request, "INVALID_COMMAND");

    expect(details).toMatchObject({ issues: [{ path: name, message: expect.any(String) }] });
  });

  test("that is not UTF-8 is refused", async () => {
    const headers = Buffer.concat([Buffer.from("Nats-Msg-Id: a"), Buffer.from([0xff]), Buffer.from("\r\n")]);
    const details = await refused(
      { subject: `cmd.${run}.RecordProgress`, body: { step: 1 }, headers },
      "INVALID_COMMAND",
    );

    expect(details).toMatchObject({ issues: [{ path: "Nats-Msg-Id" }] });
  });

  test.each<[string, Buffer]>([
    ["a line feed in a value", Buffer.from("Retrace-Actor: a\nNats-Msg-Id: b\r\n")],
    ["a space in a name", Buffer.from("Retrace Actor: a\r\n")],
    ["a name that is not ASCII", Buffer.from("Größe: 1\r\n")],
  ])("block with %s is refused", async (_, headers) => {
    for (const subject of [`cmd.${run}.RecordProgress`, "qry.health"]) {
      const code = subject.startsWith("cmd") ? "INVALID_COMMAND" : "INVALID_QUERY";
      const details = await refused({ subject, headers }, code);
      expect(details).toMatchObject({ issues: [{ path: "headers" }] });
    }
  });

  test.each<[string, RawHeaders]>([
    ["nobody knows", { "X-Something": long }],
    ["has no colon", Buffer.from("nonsense\r\n")],
    ["comes twice", Buffer.from("X-A: 1\r\nX-A: 2\r\n")],
  ])("that %s does not matter", async (_, headers) => {
    expect((await edge.command(`${run}.RecordProgress`, { step: 1 }, headers)).version).toBe(2);
  });
});

describe("a query", () => {
  test.each<[string, string, Body, string]>([
    ["not JSON", "state", "state", ""],
    ["an array", "state", [], ""],
    ["null", "events", "null", ""],
    ["invalid UTF-8", "events", Buffer.from([0x22, 0xff, 0x22]), ""],
    ["100,000 brackets", "events", nested(100_000, ["[", "]"]), ""],
    ["without a category", "state", { id: "x" }, "category"],
    ["without an id", "state", { category: "dataset" }, "id"],
    ["with a bad id", "state", { category: "dataset", id: "a.b" }, "id"],
    ["with a category of 300 characters", "history", { category: "x".repeat(300), id: "x" }, "category"],
    ["with a bad id", "history", { category: "dataset", id: "x".repeat(129) }, "id"],
    ["with an extra field", "state", { category: "dataset", id: "x", at: 1 }, "at"],
    ["with a negative version", "state", { category: "dataset", id: "x", atVersion: -1 }, "atVersion"],
    ["with a fraction", "state", { category: "dataset", id: "x", atPosition: 1.5 }, "atPosition"],
    ["with a wrong time", "state", { category: "dataset", id: "x", atRecorded: "noon" }, "atRecorded"],
    [
      "with a time without a zone",
      "state",
      { category: "dataset", id: "x", atOccurred: "2026-01-01T00:00:00" },
      "atOccurred",
    ],
    ["with two points", "state", { category: "dataset", id: "x", atVersion: 1, atPosition: 1 }, ""],
    ["without a field", "why", { category: "dataset", id: "x" }, "field"],
    ["with two points", "why", { category: "dataset", id: "x", field: "state", atVersion: 1, atPosition: 1 }, ""],
    ["with version 0", "history", { category: "dataset", id: "x", fromVersion: 0 }, "fromVersion"],
    ["with limit 0", "history", { category: "dataset", id: "x", limit: 0 }, "limit"],
    ["with limit 1,001", "events", { limit: 1_001 }, "limit"],
    ["with a limit as text", "events", { limit: "10" }, "limit"],
    ["with categories as text", "events", { categories: "dataset" }, "categories"],
    ["with no categories", "events", { categories: [] }, "categories"],
    ["with a type of 5,000 characters", "events", { types: ["x".repeat(5_000)] }, "types.0"],
    ["with an unknown clock", "events", { by: "told" }, "by"],
    ["with a day that does not exist", "events", { since: "2026-02-31T00:00:00Z" }, "since"],
    ["with a negative position", "events", { afterPosition: -1 }, "afterPosition"],
  ])("%s is refused: %s", async (_, name, body, path) => {
    const details = await refused({ subject: `qry.${name}`, body }, "INVALID_QUERY");

    expect(details).toMatchObject({ issues: [{ path, message: expect.any(String) }] });
  });

  test("with a content type nobody reads is refused", async () => {
    const headers = { "Content-Type": "text/xml" };
    const details = await refused({ subject: "qry.health", headers }, "INVALID_QUERY");

    expect(details).toMatchObject({ issues: [{ path: "Content-Type" }] });
  });

  test("with NaN in MessagePack is refused", async () => {
    const message = await edge.request("qry.events", pack({ afterPosition: Number.NaN }), packed);

    expect(unpack(message.body)).toMatchObject({
      error: { code: "INVALID_QUERY", details: { issues: [{ path: "afterPosition" }] } },
    });
  });
});

test("a state that does not fit the broker's max_payload is PAYLOAD_TOO_LARGE, not silence", async () => {
  const nats = await startNats();
  await startRuntime({ dataDir: tempDir(), nats: nats.url });
  const small = await openEdge(nats.url);
  const limit = Number(small.raw.info.max_payload);
  const checkpoint = (i: number) => ({ checkpointId: `${"語".repeat(120)}-${i}`, step: i });
  await small.command("training-run.r.StartTraining");
  await Promise.all(
    Array.from({ length: Math.ceil(limit / 360) }, (_, i) =>
      small.command("training-run.r.SaveCheckpoint", checkpoint(i)),
    ),
  );
  const details = errorOf(await small.request("qry.state", { category: "training-run", id: "r" }), "PAYLOAD_TOO_LARGE");

  expect(details).toEqual({ bytes: expect.any(Number), limit });
  expect((await small.command("training-run.r.CompleteTraining")).state.value).toBe("completed");
});
