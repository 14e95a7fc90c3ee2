/** What sagas react with, shared by all that they do. */
import type { EventStore, Transaction } from "../../core/event-store.ts";
import type { RecordedEvent } from "../../core/message.ts";
import type { Answer, Question } from "../../core/saga.ts";
import type { RequestContext } from "../../wire/command-request.ts";
import type { Clock } from "../clock.ts";
import type { Decider } from "../decider.ts";
import type { Log } from "../log.ts";
import type { LoadedSaga } from "./loaded-saga.ts";
import type { Policies } from "./policy-settings.ts";

/** What sagas react with. */
export interface SagaTools {
  readonly store: EventStore;
  readonly decider: Decider;
  readonly sagas: ReadonlyMap<string, LoadedSaga>;
  /** By the event type they listen to. */
  readonly listeners: ReadonlyMap<string, readonly LoadedSaga[]>;
  readonly policies: Policies;
  readonly clock: Clock;
  readonly log: Log;
  /** Checks commands as those from outside are checked. */
  readonly requests: RequestContext;
  /** An event with its data at the latest version. @throws Fault UNREADABLE_EVENT */
  readonly latest: (event: RecordedEvent) => RecordedEvent;
  /** Rows of a projection, as of `position` at the latest. @throws Fault when there is no such projection. */
  readonly rows: ReadRows;
}

/** Reads projections for `ask` and for `correlate`. */
export type ReadRows = (tx: Transaction, question: Question) => Answer["rows"];

/** A command whose aggregate has to be brought near before the transaction is tried again. */
export class TooFarAway extends Error {
  readonly category: string;
  readonly stream: string;

  constructor(category: string, stream: string) {
    super(`${stream} is too far to fold inside a transaction`);
    this.category = category;
    this.stream = stream;
  }
}
