/** A port to listen on later, and again and again: for servers that are killed and started at the same address. */
import { createServer } from "node:net";

/** Below the ports that systems give to outgoing connections: a client that reconnects could be given the server's own. */
const first = 15_000;
const count = 15_000;

/** A port on 127.0.0.1 that nothing listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = first + Math.floor(Math.random() * count);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once("error", () => resolve(false));
    probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
