import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { startNats } from "../support/nats.ts";

test("keeps port and streams over a restart after SIGKILL", async () => {
  const nats = await startNats();
  await inStream(nats.url, async (manager) => void (await manager.streams.add({ name: "kept", subjects: ["kept"] })));
  const before = nats.pid;

  await nats.kill();
  await nats.restart();

  expect(nats.pid).not.toBe(before);
  await inStream(nats.url, async (manager) => expect((await manager.streams.info("kept")).config.name).toBe("kept"));
  await nats.stop();
});

async function inStream(
  servers: string,
  use: (manager: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<void>,
): Promise<void> {
  const connection = await connect({ servers });
  await use(await jetstreamManager(connection));
  await connection.close();
}
