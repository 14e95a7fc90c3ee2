/**
 * What every event store must do, as tests: each sentence of the port, tried on an empty store. For authors of stores;
 * it needs no particular test runner.
 */
import type { EventStore } from "../core/event-store.ts";
import { appendLaws } from "./conformance/append-laws.ts";
import { readLaws } from "./conformance/read-laws.ts";
import { reopenLaws } from "./conformance/reopen-laws.ts";
import type { Law } from "./conformance/sample.ts";
import { subscriptionLaws } from "./conformance/subscription-laws.ts";
import { tableLaws } from "./conformance/table-laws.ts";
import { transactionLaws } from "./conformance/transaction-laws.ts";

/** A store on trial. */
export interface StoreOnTrial {
  /** Open and empty. */
  readonly store: EventStore;
  /** Closes what is open and opens the same store again. Left out by stores that keep nothing over a restart. */
  readonly reopen?: () => Promise<EventStore>;
  /** Closes whatever of it is open and clears away what it kept. */
  readonly close: () => Promise<void>;
}

/** What the suite needs. */
export interface StoreConformance {
  /** Declares one test; that of vitest, node:test, jest and mocha fit. */
  readonly test: (name: string, fn: () => Promise<void>) => unknown;
  /** Opens a new, empty store; called once for each test. */
  readonly open: () => Promise<StoreOnTrial>;
}

/** Declares the whole suite. A store that passes can stand under the runtime. */
export function storeConformance({ test, open }: StoreConformance): void {
  const law: Law = (name, check) => {
    test(name, async () => {
      const { store, reopen, close } = await open();
      try {
        await check({ store, reopen });
      } finally {
        await close();
      }
    });
  };
  appendLaws(law);
  readLaws(law);
  tableLaws(law);
  transactionLaws(law);
  subscriptionLaws(law);
  reopenLaws(law);
}
