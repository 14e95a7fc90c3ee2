/**
 * The settings of sagas: the policy stream of a saga's name, completed by the saga's defaults. A policy that does not
 * fit the saga's settings is not followed: the one before it stays in force, and health says so.
 */
import type { z } from "zod";
import type { EventStore } from "../../core/event-store.ts";
import type { Saga } from "../../core/saga.ts";
import { SagaFault } from "../../core/saga-chart.ts";
import { issuesOf } from "../../core/schema.ts";
import { streamName } from "../../core/stream.ts";

/** Settings and the version of the policy stream they come from; 0 is the defaults. */
export interface PolicySettings {
  readonly version: number;
  readonly settings: unknown;
  /** Why the latest policy is not the one in force. */
  readonly refused?: { readonly version: number; readonly message: string };
}

/** Reads and remembers policies: each version is parsed once. */
export class Policies {
  readonly #store: EventStore;
  readonly #current = new Map<string, { readonly head: number; readonly policy: PolicySettings }>();

  constructor(store: EventStore) {
    this.#store = store;
  }

  /** In force now, as the open transaction sees it. */
  current(saga: Saga): PolicySettings {
    const head = this.#store.head(streamName("policy", saga.name)).version;
    const known = this.#current.get(saga.name);
    if (known?.head === head) return known.policy;
    const policy = this.#latestValid(saga, head);
    this.#current.set(saga.name, { head, policy });
    return policy;
  }

  /** A transaction was undone, and with it the policies that it may have set. */
  forget(): void {
    this.#current.clear();
  }

  /** The settings of one version, for a saga that is folded again. @throws SagaFault when they do not fit today's schema. */
  at(saga: Saga, version: number): unknown {
    const parsed = saga.settings.safeParse(this.#stored(saga, version));
    if (parsed.success) return parsed.data;
    const message = `version ${version} of policy-${saga.name} does not fit its settings: ${issueText(parsed.error)}`;
    throw new SagaFault("SETTINGS_CHANGED", message);
  }

  #latestValid(saga: Saga, head: number): PolicySettings {
    let refused: PolicySettings["refused"];
    for (let version = head; version > 0; version--) {
      const parsed = saga.settings.safeParse(this.#stored(saga, version));
      if (parsed.success) return { version, settings: parsed.data, ...(refused !== undefined && { refused }) };
      refused ??= { version, message: issueText(parsed.error) };
    }
    return { version: 0, settings: saga.settings.parse({}), ...(refused !== undefined && { refused }) };
  }

  #stored(saga: Saga, version: number): unknown {
    if (version === 0) return {};
    const stream = streamName("policy", saga.name);
    for (const { data } of this.#store.readStream(stream, { fromVersion: version, toVersion: version })) {
      return (data as { readonly settings?: unknown }).settings ?? {};
    }
    throw new Error(`${stream} has no version ${version}`);
  }
}

function issueText(error: z.ZodError): string {
  return issuesOf(error)
    .map(({ path, message }) => `${path}: ${message}`)
    .join("; ");
}
