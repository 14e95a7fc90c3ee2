/** The NATS service convention, as `nats micro ls`, `info` and `stats` read it. */
import { expect, test } from "vitest";
import { startRuntime } from "../support/runtime.ts";
import { tempDir } from "../support/temp.ts";
import { fresh, openEdge } from "./edge.ts";

test("a runtime is found, described and measured as a NATS service", async () => {
  const runtime = await startRuntime({ dataDir: tempDir(), prefix: "lab" });
  const edge = await openEdge(runtime.url, "lab");
  const ask = async (subject: string) => JSON.parse((await edge.raw.request(subject, "")).body.toString("utf8"));

  const ping = await ask("$SRV.PING");
  expect(ping).toEqual({
    type: "io.nats.micro.v1.ping_response",
    name: "retrace",
    id: expect.stringMatching(/^\w{10,}$/),
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    metadata: { prefix: "lab", store: expect.any(String) },
  });
  expect(await ask("$SRV.PING.retrace")).toEqual(ping);
  expect(await ask(`$SRV.PING.retrace.${ping.id}`)).toEqual(ping);
  expect(await ask("$SRV.INFO.retrace")).toMatchObject({
    type: "io.nats.micro.v1.info_response",
    id: ping.id,
    description: expect.stringMatching(/\w/),
    endpoints: [
      { name: "commands", subject: "lab.cmd.>", queue_group: "retrace" },
      { name: "bulk", subject: "lab.bulk", queue_group: "retrace" },
      { name: "queries", subject: "lab.qry.>", queue_group: "retrace" },
      { name: "admin", subject: "lab.adm.>", queue_group: "retrace" },
    ],
  });

  const run = fresh("run");
  await edge.command(`training-run.${run}.StartTraining`);
  await edge.command(`training-run.${run}.Nonsense`);
  await edge.query("catalog");
  const stats = await ask("$SRV.STATS.retrace");
  expect(stats).toMatchObject({ type: "io.nats.micro.v1.stats_response", started: expect.stringMatching(/^20/) });
  const [commands, bulk, queries] = stats.endpoints;
  expect(commands).toMatchObject({
    name: "commands",
    num_requests: 2,
    num_errors: 1,
    last_error: "404:UNKNOWN_COMMAND",
  });
  expect(commands.processing_time).toBeGreaterThan(0);
  expect(commands.average_processing_time).toBe(Math.round(commands.processing_time / 2));
  expect(bulk).toMatchObject({ num_requests: 0, average_processing_time: 0 });
  expect(queries).toMatchObject({ num_requests: 1, num_errors: 0, last_error: "" });
});
