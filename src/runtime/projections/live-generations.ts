/**
 * The generations that are kept up with the log, as the running transaction sees them: who listens to an event that is
 * applied now. Generations are kept in mind as long as no process has changed which there are, and their rows as long as
 * nobody else has written any: both are stamps in the store, so a transaction that came to nothing shows, too.
 */
import type { TableReader, Transaction } from "../../core/event-store.ts";
import type { Projection, ProjectionMode } from "../../core/projection.ts";
import type { Clock } from "../clock.ts";
import { type Listeners, listenersOf } from "./apply-events.ts";
import type { Definitions } from "./definitions.ts";
import { GenerationRows } from "./generation-rows.ts";
import {
  type Generations,
  type Made,
  readAllGenerations,
  readEpoch,
  readStamp,
  writeGenerations,
  writeStamp,
} from "./generations.ts";
import { indexedFields } from "./indexes.ts";
import { CurrentRows } from "./stored-rows.ts";

/** What they are read with. */
export interface LiveContext {
  readonly definitions: Definitions;
  readonly clock: Clock;
  readonly spanEvents: number;
}

interface Target {
  readonly projection: Projection;
  readonly generation: number;
  readonly rows: GenerationRows;
}

interface Known {
  readonly epoch: unknown;
  readonly targets: readonly Target[];
  readonly listeners: Listeners;
  /** The transaction that the rows read from. */
  tx: Transaction;
  /** What the store says as long as the rows in memory are those in the store. */
  stamp: unknown;
}

/** Of one generation, in bytes: more is read again instead of being kept from one transaction to the next. */
const maxKept = 16 * 1024 * 1024;

/** The kept-up generations of all projections of a process. */
export class LiveGenerations {
  readonly #context: LiveContext;
  readonly #known = new Map<ProjectionMode, Known>();
  readonly #id: string;
  #flushes = 0;

  constructor(context: LiveContext) {
    this.#context = context;
    this.#id = context.clock.newId();
  }

  /**
   * Who listens, in one mode, reading from the transaction; `position` is that of the first event that is applied in it.
   * A generation that this process does not keep up is frozen there, because the event will be missing in it.
   */
  listeners(tx: Transaction, mode: ProjectionMode, position: number): Listeners {
    let known = this.#known.get(mode);
    if (known?.tx === tx) return known.listeners;
    if (known === undefined || known.epoch !== readEpoch(tx)) {
      known = this.#read(tx, mode, position);
      this.#known.set(mode, known);
    } else {
      this.#goOn(tx, mode, known);
    }
    return known.listeners;
  }

  /** In another transaction: with the rows in memory where they are those in the store. */
  #goOn(tx: Transaction, mode: ProjectionMode, known: Known): void {
    const stamp = readStamp(tx, mode);
    for (const { projection, generation, rows } of known.targets) {
      if (stamp !== known.stamp || rows.weight > maxKept) rows.forget();
      rows.readFrom(new CurrentRows(tx, projection.name, generation));
    }
    known.tx = tx;
    known.stamp = stamp;
  }

  /** Writes what was changed in the transaction; whoever else reads, there is nothing to write. */
  flush(reader: TableReader): void {
    for (const [mode, known] of this.#known) if (known.tx === reader) this.#flush(known.tx, mode, known);
  }

  #flush(tx: Transaction, mode: ProjectionMode, known: Known): void {
    const changed = known.targets.filter(({ rows }) => rows.changes > 0);
    if (changed.length === 0) return;
    for (const { rows } of changed) rows.flush(tx);
    this.#flushes += 1;
    const stamp = `${this.#id}:${this.#flushes}`;
    writeStamp(tx, mode, stamp);
    known.stamp = stamp;
  }

  #read(tx: Transaction, mode: ProjectionMode, position: number): Known {
    const all = readAllGenerations(tx);
    for (const [name, generations] of all) this.#freeze(tx, name, generations, { mode, position });
    const { definitions } = this.#context;
    const targets: Target[] = [];
    for (const name of definitions.names) {
      const generations = all.get(name) ?? this.#beginAtOnce(tx, name, { mode, position });
      for (const made of [generations?.live, generations?.standby]) {
        const projection = definitions.makerOf(name, made);
        if (made === undefined || projection?.mode !== mode || made.frozenAt !== undefined) continue;
        targets.push({ projection, generation: made.generation, rows: this.#rowsOf(tx, projection, made) });
      }
    }
    const listeners = listenersOf(targets.map(({ projection, rows }) => [projection, rows]));
    return { epoch: readEpoch(tx), targets, listeners, tx, stamp: readStamp(tx, mode) };
  }

  #rowsOf(tx: Transaction, { name, indexes }: Projection, { generation }: Made): GenerationRows {
    const { spanEvents } = this.#context;
    const of = { name, generation, indexes: indexedFields(indexes), spanEvents };
    return new GenerationRows(of, new CurrentRows(tx, name, generation));
  }

  #freeze(tx: Transaction, name: string, generations: Generations, { mode, position }: AppliedNow): void {
    const { live, standby } = generations;
    const isLeft = (made: typeof live): made is Made => {
      const isKeptUp = made?.mode === mode && made.frozenAt === undefined;
      return isKeptUp && this.#context.definitions.makerOf(name, made) === undefined;
    };
    if (!isLeft(live) && !isLeft(standby)) return;
    const frozenAt = position - 1;
    this.#write(tx, name, {
      ...generations,
      ...(isLeft(live) && { live: { ...live, frozenAt } }),
      ...(isLeft(standby) && { standby: { ...standby, frozenAt } }),
    });
  }

  /** Before the first event of the log there is nothing to build. */
  #beginAtOnce(tx: Transaction, name: string, { mode, position }: AppliedNow): Generations | undefined {
    const { main, next } = this.#context.definitions.of(name) ?? {};
    // Where a next version waits, the one who builds sets both up.
    if (main?.mode !== mode || next !== undefined || position > 1) return undefined;
    const generations: Generations = { live: { generation: 1, version: main.version, mode }, last: 1 };
    this.#write(tx, name, generations);
    return generations;
  }

  #write(tx: Transaction, name: string, generations: Generations): void {
    writeGenerations(tx, name, generations, this.#context.clock.newId());
  }
}

interface AppliedNow {
  readonly mode: ProjectionMode;
  readonly position: number;
}
