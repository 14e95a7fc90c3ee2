/** What became of the requests to one endpoint, as the NATS service convention counts them. */
import type { Fault } from "../core/fault.ts";

/** Counts since the process began to serve. */
export class EndpointStats {
  #requests = 0;
  #errors = 0;
  #lastError = "";
  #totalMs = 0;

  /** One request, answered after so many milliseconds. */
  add(ms: number, fault: Fault | undefined): void {
    this.#requests += 1;
    this.#totalMs += ms;
    if (fault === undefined) return;
    this.#errors += 1;
    this.#lastError = `${fault.number}:${fault.code}`;
  }

  /** Times in nanoseconds. */
  get figures(): Readonly<Record<string, number | string>> {
    const total = Math.round(this.#totalMs * 1e6);
    return {
      num_requests: this.#requests,
      num_errors: this.#errors,
      last_error: this.#lastError,
      processing_time: total,
      average_processing_time: this.#requests === 0 ? 0 : Math.round(total / this.#requests),
    };
  }
}
