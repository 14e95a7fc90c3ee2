/** What has to compile against a typed client, and what must not: the compiler reports a directive that is not needed. */
import type { RetraceDomain } from "../../schemas/index.ts";
import type { Client } from "../../src/wire/client.ts";

/** Never called. */
export async function typed(client: Client<RetraceDomain>): Promise<void> {
  await client.send("training-run", "r1", { type: "RecordProgress", data: { step: 1, metrics: { loss: "NaN" } } });
  // @ts-expect-error there is no such category
  await client.send("training-runs", "r1", { type: "StartTraining", data: {} });
  // @ts-expect-error there is no such command
  await client.send("training-run", "r1", { type: "RecordProgres", data: { step: 1 } });
  // @ts-expect-error it is a command of another category
  await client.send("training-run", "r1", { type: "VersionModel", data: { version: "1" } });
  // @ts-expect-error there is no such field
  await client.send("training-run", "r1", { type: "RecordProgress", data: { step: 1, los: 1 } });
  // @ts-expect-error a step is a number
  await client.send("training-run", "r1", { type: "RecordProgress", data: { step: "1" } });
  // @ts-expect-error a step is required
  await client.send("training-run", "r1", { type: "RecordProgress", data: {} });
  client.sendMany([{ category: "dataset", id: "d1", command: { type: "IngestData", data: {} } }]);
  // @ts-expect-error it is a command of another category
  client.sendMany([{ category: "dataset", id: "d1", command: { type: "StartTraining", data: {} } }]);
  await client.update("model", "m1", () => ({ type: "CreateModel", data: {} }));
  // @ts-expect-error it is a command of another category
  await client.update("model", "m1", () => ({ type: "StartTraining", data: {} }));
  // @ts-expect-error there is no such category
  await client.state("models", "m1");
  await client.replay({ categories: ["training-run"], types: ["TrainingProgress"], speed: 60 }, ({ data }) =>
    data.step.toFixed(),
  );
  // @ts-expect-error a step is a number
  await client.replay({ categories: ["training-run"], types: ["TrainingProgress"] }, ({ data }) => data.step.length);
  // @ts-expect-error it is an event of another category
  await client.replay({ categories: ["dataset"], types: ["TrainingProgress"] }, () => {});
}
