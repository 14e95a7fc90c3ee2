/**
 * A NATS client of a page, over a plain socket, so that the tests see the bytes that a client in any other language
 * sees: no library stands between them and the broker. https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A message as it came over the socket. */
export interface RawMessage {
  readonly subject: string;
  readonly reply: string | undefined;
  /** `NATS/1.0`, or with a status behind it, like `NATS/1.0 503`. Empty where the message had no headers. */
  readonly statusLine: string;
  /** Names as sent; the last value where a name comes twice. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** Header lines in order. Values are written as they are, so that a test can break them. */
export type RawHeaders = Readonly<Record<string, string>> | Buffer;

/** What is published beside subject and body. */
export interface PublishOptions {
  readonly headers?: RawHeaders | undefined;
  readonly reply?: string;
}

const patienceMs = 20_000;

/** One connection. */
export class RawNats {
  /** What the broker says of itself. */
  readonly info: Readonly<Record<string, unknown>>;
  /** Resolves when the connection has ended, with the broker's last `-ERR` where that has come through. */
  readonly closed: Promise<string>;
  readonly #socket: Socket;
  readonly #parser: Parser;
  readonly #inbox = `_INBOX.raw.${process.pid}.${Math.trunc(performance.now() * 1_000)}`;
  #requests = 0;
  #subscriptions = 0;

  private constructor(socket: Socket, parser: Parser, info: Readonly<Record<string, unknown>>) {
    this.#socket = socket;
    this.#parser = parser;
    this.info = info;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve(parser.lastError)));
  }

  /** Connects to `nats://host:port`. */
  static async connect(url: string): Promise<RawNats> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    const parser = new Parser(() => socket.write("PONG\r\n"));
    const info = new Promise<Readonly<Record<string, unknown>>>((resolve) => {
      parser.onInfo = resolve;
    });
    socket.on("data", (chunk: Buffer) => parser.push(chunk));
    socket.on("error", () => {});
    await once(socket, "connect");
    const nats = new RawNats(socket, parser, await info);
    socket.write(`CONNECT ${JSON.stringify({ verbose: false, headers: true, no_responders: true })}\r\n`);
    nats.subscribe(`${nats.#inbox}.*`, (message) => parser.inbox.get(message.subject)?.(message));
    return nats;
  }

  /** Calls `onMessage` for each message on a subject, which may hold wildcards. */
  subscribe(subject: string, onMessage: (message: RawMessage) => void): void {
    this.#subscriptions += 1;
    this.#parser.subscriptions.set(String(this.#subscriptions), onMessage);
    this.#socket.write(`SUB ${subject} ${this.#subscriptions}\r\n`);
  }

  publish(subject: string, body: Uint8Array | string, { headers, reply }: PublishOptions = {}): void {
    const payload = Buffer.from(body);
    const to = reply === undefined ? subject : `${subject} ${reply}`;
    const block = headers === undefined ? undefined : headerBlock(headers);
    const verb =
      block === undefined
        ? `PUB ${to} ${payload.length}`
        : `HPUB ${to} ${block.length} ${block.length + payload.length}`;
    this.#socket.write(Buffer.concat([Buffer.from(`${verb}\r\n`), block ?? noBytes, payload, Buffer.from("\r\n")]));
  }

  /** Publishes with an inbox of its own and resolves with the first answer. */
  request(subject: string, body: Uint8Array | string, headers?: RawHeaders): Promise<RawMessage> {
    this.#requests += 1;
    const reply = `${this.#inbox}.${this.#requests}`;
    const { inbox } = this.#parser;
    return new Promise((resolve, reject) => {
      const patience = setTimeout(() => {
        inbox.delete(reply);
        reject(new Error(`no answer on ${subject} within ${patienceMs} ms`));
      }, patienceMs);
      inbox.set(reply, (message) => {
        clearTimeout(patience);
        inbox.delete(reply);
        resolve(message);
      });
      this.publish(subject, body, { headers, reply });
    });
  }

  /** Resolves when the broker has taken everything written so far. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#parser.onPong.push(resolve);
      this.#socket.write("PING\r\n");
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

const noBytes = Buffer.alloc(0);

function headerBlock(headers: RawHeaders): Buffer {
  if (Buffer.isBuffer(headers)) return Buffer.concat([Buffer.from("NATS/1.0\r\n"), headers, Buffer.from("\r\n")]);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`NATS/1.0\r\n${lines.join("")}\r\n`);
}

/** Cuts the byte stream into operations. */
class Parser {
  readonly subscriptions = new Map<string, (message: RawMessage) => void>();
  readonly inbox = new Map<string, (message: RawMessage) => void>();
  readonly onPong: (() => void)[] = [];
  lastError = "";
  onInfo: (info: Readonly<Record<string, unknown>>) => void = () => {};
  readonly #pong: () => void;
  #chunks: Buffer[] = [];
  #length = 0;
  /** Bytes needed before looking again makes sense. */
  #wanted = 0;

  constructor(pong: () => void) {
    this.#pong = pong;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#wanted) return;
    let rest = Buffer.concat(this.#chunks);
    for (let used = this.#take(rest); used > 0; used = this.#take(rest)) rest = rest.subarray(used);
    this.#chunks = [rest];
    this.#length = rest.length;
  }

  /** Handles one operation at the start of `bytes`; returns its length, 0 when it is not all there. */
  #take(bytes: Buffer): number {
    const end = bytes.indexOf("\r\n");
    this.#wanted = 0;
    if (end < 0) return 0;
    const [operation = "", ...words] = bytes.toString("utf8", 0, end).split(" ");
    const start = end + 2;
    if (operation === "MSG" || operation === "HMSG") {
      const total = Number(words.at(-1));
      this.#wanted = start + total + 2;
      if (bytes.length < this.#wanted) return 0;
      this.#deliver(operation, words, bytes.subarray(start, start + total));
      return this.#wanted;
    }
    if (operation === "PING") this.#pong();
    if (operation === "PONG") this.onPong.shift()?.();
    if (operation === "INFO") this.onInfo(JSON.parse(words.join(" ")) as Readonly<Record<string, unknown>>);
    if (operation === "-ERR") this.lastError = words.join(" ");
    return start;
  }

  #deliver(operation: "MSG" | "HMSG", words: readonly string[], payload: Buffer): void {
    const [subject = "", subscription = "", ...rest] = words;
    const sizes = operation === "HMSG" ? 2 : 1;
    const headerLength = operation === "HMSG" ? Number(rest.at(-2)) : 0;
    const [statusLine = "", ...lines] = payload.toString("utf8", 0, headerLength).split("\r\n");
    const headers = new Map(lines.filter((line) => line !== "").map((line) => cut(line)));
    const reply = rest.length > sizes ? rest[0] : undefined;
    const body = Buffer.from(payload.subarray(headerLength));
    this.subscriptions.get(subscription)?.({ subject, reply, statusLine, headers, body });
  }
}

function cut(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}
