/** Sagas over a store, with a clock of their own: `retrace/testing`, and for the project's own tests the inside of it. */
import type { EventStore } from "retrace";
import { type TestClock, testClock } from "../../src/testing/clock.ts";
import { openSagaRuntime, type SagaRuntime, type SagaRuntimeOptions } from "../../src/testing/saga-runtime.ts";
import { openPackedStore } from "./packed-store.ts";

export { type TestClock, testClock };

/** What a test may fix. */
export type SagaSettings = Partial<SagaRuntimeOptions>;

/** A runtime's inside without a broker. */
export interface SagaSetting extends Omit<SagaRuntime, "decide"> {
  readonly store: EventStore;
  readonly clock: TestClock;
  /** Sends a command as a client would; with a command id, it may be sent again. */
  send(
    category: string,
    id: string,
    type: string,
    data?: unknown,
    commandId?: string,
  ): ReturnType<SagaRuntime["decide"]>;
  /** The types and data of an instance's stream. */
  story(name: string, id: string): readonly { readonly type: string; readonly data: never }[];
}

export async function openSagas(
  actors: Parameters<typeof openSagaRuntime>[0],
  { store = openPackedStore("sagas"), clock = testClock(), rows }: SagaSettings = {},
): Promise<SagaSetting> {
  const { decide, ...runtime } = await openSagaRuntime(actors, { store, clock, rows });
  return {
    ...runtime,
    store,
    clock,
    send: (category, id, type, data = {}, commandId = undefined) =>
      decide({ category, id, type }, data, commandId === undefined ? undefined : { "Nats-Msg-Id": commandId }),
    story: (name, id) =>
      Array.from(store.readStream(`saga-${name}-${id}`), ({ type, data }) => ({ type, data: data as never })),
  };
}
