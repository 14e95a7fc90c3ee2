/**
 * How far a subscription has come: up to which position it was given everything, and what of that is not settled. Pure: no
 * broker, no clock. As large as what is in hand, however far the rest has gone on meanwhile.
 */

/** The same as plain data: what is kept between processes. */
export interface Reached {
  /** Every event up to here that the filters let through is handled or parked, but for those in `open`. */
  readonly upTo: number;
  /** By position, how often the handler has failed at it so far. */
  readonly open: Readonly<Record<string, number>>;
}

/** Takes positions in the order of the log, though it may be given some of them again. */
export class Progress {
  #upTo: number;
  /** How often each has failed, in the order of the log. */
  readonly #open: Map<number, number>;
  /** Open ones that a process before this one had, and this one has not been given yet. */
  readonly #inherited: Set<number>;
  #changes = 0;

  constructor({ upTo, open }: Reached) {
    this.#upTo = upTo;
    const inOrder = Object.entries(open).map(([position, failures]) => [Number(position), failures] as const);
    this.#open = new Map(inOrder.sort(([a], [b]) => a - b));
    this.#inherited = new Set(this.#open.keys());
  }

  get reached(): Reached {
    return { upTo: this.#upTo, open: Object.fromEntries(this.#open) };
  }

  /** Grows with every change. */
  get changes(): number {
    return this.#changes;
  }

  /** Up to here nothing is open: what a new consumer need not deliver. */
  get position(): number {
    const [oldest] = this.#open.keys();
    return oldest === undefined ? this.#upTo : oldest - 1;
  }

  /** How many are open. */
  get open(): number {
    return this.#open.size;
  }

  /** Notes that the broker delivered a position, and says whether it is to be handled, is in hand, or is done. */
  give(position: number): "new" | "open" | "settled" {
    if (position <= this.#upTo) {
      if (this.#inherited.delete(position)) return "new";
      return this.#open.has(position) ? "open" : "settled";
    }
    this.#upTo = position;
    this.#open.set(position, 0);
    this.#changes += 1;
    return "new";
  }

  /** How often the handler has failed at an open position. */
  failures(position: number): number {
    return this.#open.get(position) ?? 0;
  }

  /** Notes that it has failed once more. */
  fail(position: number): void {
    this.#open.set(position, this.failures(position) + 1);
    this.#changes += 1;
  }

  /** Notes that a position is handled or parked. */
  settle(position: number): void {
    if (this.#open.delete(position)) this.#changes += 1;
  }
}
