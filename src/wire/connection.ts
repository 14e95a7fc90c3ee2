/** The connection to the broker: the same for runtimes and clients. */
import { readFileSync } from "node:fs";
import { type ConnectionOptions, connect, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { Fault } from "../core/fault.ts";

/** Where to connect, and under what name the broker lists it. */
export interface BrokerAddress {
  /** URLs; a user and password, or a token, in the first count for all. */
  readonly servers: string | readonly string[];
  readonly name: string;
  /** What to do when nobody answers there: the end of the fault's sentence. */
  readonly advice?: string;
}

const defaultAdvice = "start one with `retrace start`, or name another with --nats";

/**
 * Connects, and from then on reconnects for ever. Credentials come from the URL or from the file in `NATS_CREDS`.
 * @throws Fault BUS_UNAVAILABLE when the broker cannot be reached now.
 */
export async function openConnection({
  servers,
  name,
  advice = defaultAdvice,
}: BrokerAddress): Promise<NatsConnection> {
  const list = typeof servers === "string" ? servers.split(",") : [...servers];
  try {
    return await connect({
      servers: list.map(withoutCredentials),
      name,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
      reconnectJitter: 50,
      pingInterval: 10_000,
      ...credentials(list[0] ?? ""),
    });
  } catch (error) {
    if (error instanceof Fault) throw error;
    const where = list.map(withoutCredentials).join(", ");
    throw new Fault("BUS_UNAVAILABLE", `cannot connect to ${where}: ${(error as Error).message}; ${advice}`, {}, error);
  }
}

function credentials(server: string): Partial<ConnectionOptions> {
  const file = process.env.NATS_CREDS;
  if (file !== undefined && file !== "") return { authenticator: credsAuthenticator(readFileSync(file)) };
  const { username, password } = parse(server);
  if (username === "") return {};
  const user = decodeURIComponent(username);
  return password === "" ? { token: user } : { user, pass: decodeURIComponent(password) };
}

/** A server's URL as it may be shown. */
export function withoutCredentials(server: string): string {
  const url = parse(server);
  return url.username === "" ? server : hideCredentials(server);
}

function hideCredentials(server: string): string {
  return server.replace(/^([a-z]+:\/\/)?.*@/i, "$1");
}

function parse(server: string): URL {
  const address = server.includes("://") ? server : `nats://${server}`;
  if (URL.canParse(address) && isSpoken(new URL(address))) return new URL(address);
  const message = `"${hideCredentials(server)}" is not the address of a broker, which begins with nats:// or tls://, like nats://127.0.0.1:4222`;
  throw new Fault("BUS_UNAVAILABLE", message);
}

/** Whether the transport speaks it: NATS over TCP, plain or encrypted. */
function isSpoken({ protocol, hostname }: URL): boolean {
  return ["nats:", "tls:"].includes(protocol) && hostname !== "";
}
