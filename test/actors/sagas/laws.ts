/** What holds for every saga, whatever has happened. */
import assert from "node:assert/strict";
import { foldSaga } from "../../../src/core/saga-history.ts";
import type { SagaSetting } from "../../sagas/setting.ts";

/** Nothing is stuck, and every instance folds again from its stream to what is stored of it. */
export function assertSagaLaws({ store, options }: Pick<SagaSetting, "store" | "options">): void {
  for (const { key, value } of store.scan("sagas", {})) {
    const { stuck } = value as { readonly stuck?: unknown };
    assert.equal(stuck, undefined, `${key.join("-")} is stuck: ${JSON.stringify(stuck)}`);
  }
  const started = [...store.readAll({})].filter(({ type }) => type === "SagaStarted");
  for (const { stream, data } of started) {
    const { saga: name, instance } = data as { readonly saga: string; readonly instance: string };
    const { saga } = options.sagas.get(name) ?? assert.fail(`there is no saga ${name}`);
    const folded = foldSaga(saga, store.readStream(stream), {
      eventAt: (position) => {
        const [event] = store.readAll({ afterPosition: position - 1, limit: 1 });
        return options.latest(event ?? assert.fail(`the log has no position ${position}`));
      },
      settingsAt: (version) => options.policies.at(saga, version),
    });
    assert(folded.outcome === "folded", `${stream}: ${JSON.stringify(folded)}`);
    const row = store.get("sagas", [name, instance]) as { readonly value: unknown } | undefined;
    if (row !== undefined) assert.deepEqual(row.value, folded.instance?.state.value, stream);
  }
}
