/**
 * Faults: what the machinery refuses or fails at, with the codes of PROTOCOL.md.
 * A rejection by the domain is a value inside the core and becomes a fault only at the edge, where it needs a number.
 */

const numbers = {
  INVALID_COMMAND: 400,
  INVALID_QUERY: 400,
  UNKNOWN_CATEGORY: 404,
  UNKNOWN_COMMAND: 404,
  UNKNOWN_QUERY: 404,
  NOT_FOUND: 404,
  COMMAND_ID_REUSED: 409,
  WRONG_EXPECTED_VERSION: 412,
  PAYLOAD_TOO_LARGE: 413,
  NOT_ALLOWED_IN_STATE: 422,
  REJECTED: 422,
  OVERLOADED: 429,
  INTERNAL: 500,
  UNREADABLE_EVENT: 500,
  OBJECT_DAMAGED: 500,
  STORE_UNAVAILABLE: 503,
  BUS_UNAVAILABLE: 503,
  SHUTTING_DOWN: 503,
  PROJECTION_BEHIND: 504,
} as const;

/** The stable part of every error: codes never change meaning between major versions, messages may. */
export type FaultCode = keyof typeof numbers;

const retryable: ReadonlySet<FaultCode> = new Set([
  "WRONG_EXPECTED_VERSION",
  "OVERLOADED",
  "STORE_UNAVAILABLE",
  "BUS_UNAVAILABLE",
  "SHUTTING_DOWN",
  "PROJECTION_BEHIND",
]);

/** The body of an error reply on the wire. */
export interface ErrorBody {
  readonly error: {
    readonly code: FaultCode;
    readonly message: string;
    readonly retryable: boolean;
    readonly details: Readonly<Record<string, unknown>>;
  };
}

/** An error with a code of the protocol. `message` is for people: programs read `code` and `details`. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: FaultCode, message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }

  /** The number that goes into `Nats-Service-Error-Code`. */
  get number(): number {
    return numbers[this.code];
  }

  /** Whether the same request may succeed later without a change. */
  get isRetryable(): boolean {
    return retryable.has(this.code);
  }

  toBody(): ErrorBody {
    return {
      error: { code: this.code, message: this.message, retryable: this.isRetryable, details: this.details },
    };
  }
}

/** A fault raised at start, before anything is served: the process prints its sentence and ends with status 1. */
export class StartRefused extends Error {
  override readonly name = "StartRefused";
}
