/**
 * Transactions that failed while an instance was being worked for, and not because the store could not be written. What
 * fails again and again, a value that no store takes for example, is the instance's own trouble: it is set aside, so that
 * the others go on.
 */
import { Fault } from "../../core/fault.ts";
import type { SagaFault } from "../../core/saga-chart.ts";
import { asSagaFault, type SetAside } from "./steps.ts";

interface Failure {
  readonly times: number;
  readonly fault: SagaFault;
}

/** So often in a row it may be chance. */
const maxFailures = 3;

/** What one reactor remembers, by the instance's stream. */
export class Failures {
  readonly #failures = new Map<string, Failure>();

  add(stream: string | undefined, error: unknown): void {
    if (stream === undefined || (error instanceof Fault && error.isRetryable)) return;
    const times = (this.#failures.get(stream)?.times ?? 0) + 1;
    this.#failures.set(stream, { times, fault: asSagaFault(error, "STEP_FAILED") });
  }

  /** Their work is done, or they have been set aside. */
  forget(streams: Iterable<string>): void {
    for (const stream of streams) this.#failures.delete(stream);
  }

  get setAside(): SetAside {
    const often = [...this.#failures].filter(([, { times }]) => times >= maxFailures);
    return new Map(often.map(([stream, { fault }]) => [stream, fault]));
  }
}
