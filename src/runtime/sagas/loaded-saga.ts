/** A saga that has passed the rules, with the fingerprint of its chart. */
import { createHash } from "node:crypto";
import type { Saga } from "../../core/saga.ts";
import { descriptionOf } from "../fingerprint.ts";

/** A saga and what its chart is recognised by. */
export interface LoadedSaga {
  readonly saga: Saga;
  /** Changes with the chart: an instance of another fingerprint is folded again, or migrated, before it goes on. */
  readonly fingerprint: string;
}

/** Takes the fingerprint of a saga. */
export function loadedSaga(saga: Saga): LoadedSaga {
  const text = descriptionOf({ version: saga.version, chart: saga.machine.config, code: saga.machine.implementations });
  return { saga, fingerprint: createHash("sha256").update(text).digest("hex").slice(0, 32) };
}
