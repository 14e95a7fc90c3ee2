/** Subscribers that are not ours: the bytes that SUBSCRIBERS.md shows, and a client of a page that does what it says. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, expect, test } from "vitest";
import { root, runCli } from "../cli/run-cli.ts";
import { streamInfo } from "../support/event-messages.ts";
import { eventually } from "../support/eventually.ts";
import { PlainSubscriber } from "./plain-subscriber.ts";
import { recordRuns, startSetting } from "./setting.ts";

const page = readFileSync(join(root, "SUBSCRIBERS.md"), "utf8");
const transcripts = [...page.matchAll(/^```nats\n([\s\S]*?)^```$/gm)].map((match) =>
  (match[1] as string).trimEnd().split("\n"),
);

const closing: (() => void)[] = [];

afterAll(() => {
  for (const close of closing) close();
});

/** A socket that sends lines and waits for lines; `…` in a wanted line stands for anything, also for further lines. */
class Wire {
  readonly #socket: Socket;
  #text = "";

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      this.#text += chunk.replaceAll("PING\r\n", "");
      if (chunk.includes("PING\r\n")) socket.write("PONG\r\n");
    });
  }

  static async connect(url: string): Promise<Wire> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port) });
    closing.push(() => socket.destroy());
    await once(socket, "connect");
    return new Wire(socket);
  }

  send(lines: readonly string[]): void {
    this.#socket.write(lines.map((line) => `${line}\r\n`).join(""));
  }

  /** Everything up to the end of what is wanted; removed. */
  async receive(lines: readonly string[]): Promise<string> {
    const wanted = lines.map((line) => line.split("…").map(escaped).join("[^]*?")).join("\r\n");
    const pattern = new RegExp(`${wanted}\r\n`);
    const [found] = await eventually(`the broker says ${lines[0]}`, () => {
      const match = pattern.exec(this.#text);
      if (match === null) throw new Error(this.#text);
      return match;
    });
    this.#text = "";
    return found;
  }

  /** Runs a transcript of the page. Returns the subject to answer to, where the broker named one. */
  async run(transcript: readonly string[], replyTo = ""): Promise<string> {
    let heard = "";
    for (const { speaker, lines } of turns(transcript)) {
      const complete = lines.map((line) => line.replace(/\$JS\.ACK\.\S*…/, replyTo));
      if (speaker === ">") this.send(complete);
      else heard += await this.receive(lines);
    }
    return /\$JS\.ACK\.\S+/.exec(heard)?.[0] ?? "";
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Lines that one side says in one go. */
function turns(transcript: readonly string[]): { speaker: string; lines: string[] }[] {
  const all: { speaker: string; lines: string[] }[] = [];
  for (const line of transcript) {
    const speaker = line.slice(0, 1);
    const last = all.at(-1);
    if (last?.speaker === speaker) last.lines.push(line.slice(2));
    else all.push({ speaker, lines: [line.slice(2)] });
  }
  return all;
}

test("the bytes of the page are what the broker takes and gives", async () => {
  const [{ client, nats }, [subscribe = [], acknowledge = [], later = []]] = [await startSetting(), transcripts];
  await client.send("training-run", "r1", { type: "StartTraining", data: { seed: 7 } });
  const manager = await jetstreamManager(client.nats);
  const state = async () => {
    const { num_ack_pending, ack_floor } = await manager.consumers.info("RETRACE_EVENTS", "billing");
    return { unacknowledged: num_ack_pending, floor: ack_floor.stream_seq };
  };
  await eventually("the event is relayed", async () => (await streamInfo(client.nats)).state.messages === 1);
  const wire = await Wire.connect(nats.url);
  const replyTo = await wire.run(subscribe);
  expect(await state()).toEqual({ unacknowledged: 1, floor: 0 });

  const askedAt = performance.now();
  await wire.run(later, replyTo);
  const pull = subscribe.findIndex((line) => line.includes("MSG.NEXT"));
  wire.send(subscribe.slice(pull, pull + 2).map((line) => line.slice(2)));
  const again = await wire.receive(["HMSG … $JS.ACK.RETRACE_EVENTS.billing.2.1.2.… …", '…{"seed":7}']);
  expect(performance.now() - askedAt).toBeGreaterThan(1_900);

  await wire.run(acknowledge, /\$JS\.ACK\.\S+/.exec(again)?.[0]);
  await eventually("the broker knows that it is done", async () => (await state()).unacknowledged === 0);
  expect(await state()).toEqual({ unacknowledged: 0, floor: 1 });
});

test("a client of a page handles every event, in order, over kills of the broker and a new stream", async () => {
  const { client, nats } = await startSetting();
  const handled: number[] = [];
  const plain = new PlainSubscriber({
    ...{ url: nats.url, name: "plain", filter: "retrace.evt.training-run.>", maxDeliver: 3, nakMs: 20 },
    handler: (position) => {
      if (position === 5) throw new Error("cannot take 5");
      handled.push(position);
    },
  });
  closing.push(() => void plain.close());
  const recording = recordRuns(client, "r", 4, 40);
  await eventually("some are handled", () => handled.length > 20);
  await nats.kill();
  await nats.restart();
  await eventually("some more are handled", () => handled.length > 60);
  await eventually("the stream is deleted", async () => {
    return (await jetstreamManager(client.nats)).streams.delete("RETRACE_EVENTS");
  });
  const positions = (await recording).filter((position) => position !== 5);
  await eventually("all are handled", () => new Set(handled).size === positions.length);
  const dead = (...args: string[]) => runCli(["dead", ...args, "--json"], { env: { RETRACE_NATS: nats.url } });
  const [letter] = (await dead("list")).stdout.split("\n");

  // The position is kept with the effect, so nothing is done twice.
  expect(handled).toEqual(positions);
  expect(JSON.parse(letter ?? "")).toMatchObject({
    ...{ subscription: "plain", position: 5, state: "parked", deliveries: 3, reason: "cannot take 5" },
    event: { position: 5, category: "training-run" },
  });
});

test("a client of a page has its dead letters retried and dropped like ours", async () => {
  const { client, nats } = await startSetting();
  const handled: number[] = [];
  let isBad = true;
  const plain = new PlainSubscriber({
    ...{ url: nats.url, name: "plain", filter: "retrace.evt.>", maxDeliver: 1, nakMs: 20 },
    handler: (position) => {
      if (isBad && position > 1) throw new Error("no");
      handled.push(position);
    },
  });
  closing.push(() => void plain.close());
  await recordRuns(client, "r", 1, 3);
  await eventually("two are put aside", () => plain.position === 3);
  isBad = false;
  const dead = (...args: string[]) => runCli(["dead", ...args], { env: { RETRACE_NATS: nats.url } });
  expect(await dead("drop", "2")).toMatchObject({ code: 0 });
  expect(await dead("retry", "3")).toMatchObject({ code: 0 });
  await eventually("the other one is handled", () => handled.length === 2);

  expect(handled).toEqual([1, 3]);
  await eventually("no letter is left", async () => (await dead("list")).stdout === "");
});
