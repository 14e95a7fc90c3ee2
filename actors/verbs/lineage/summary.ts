/** How much is touched, by kind. */
import { table } from "../review/table.ts";
import { kindWord, type Mark, markOf } from "./kinds.ts";
import type { Direction } from "./rows.ts";
import type { Reached } from "./walk.ts";

/** How many things of a category were reached. */
export interface KindCount {
  readonly category: string;
  readonly things: number;
  readonly external: number;
  readonly retracted: number;
  readonly rolledBack: number;
  /** Steps from the start to the nearest. */
  readonly nearest: number;
}

/** Counts what a walk finds. */
export class Summary {
  readonly #counts: Readonly<Record<Direction, Map<string, KindCount>>> = { up: new Map(), down: new Map() };

  add({ node, direction, distance }: Reached): void {
    if (direction === "start") return;
    const counts = this.#counts[direction];
    const { category } = node;
    const before = counts.get(category);
    const mark = markOf(node);
    const one = (which: Mark): number => (mark === which ? 1 : 0);
    counts.set(category, {
      category,
      things: (before?.things ?? 0) + 1,
      external: (before?.external ?? 0) + one("external"),
      retracted: (before?.retracted ?? 0) + one("retracted"),
      rolledBack: (before?.rolledBack ?? 0) + one("rolled back"),
      nearest: before?.nearest ?? distance,
    });
  }

  /** The nearest kinds first. */
  counts(direction: Direction): KindCount[] {
    return [...this.#counts[direction].values()];
  }
}

/** The counts of a direction for people. */
export function summaryText(counts: readonly KindCount[]): string {
  const rows = counts.map(({ category, things, external, retracted, rolledBack }) => {
    const marks = [
      [external, "external"] as const,
      [retracted, "retracted"] as const,
      [rolledBack, "rolled back"] as const,
    ];
    const told = marks.filter(([count]) => count > 0).map(([count, mark]) => `${count} ${mark}`);
    return [String(things), kindWord(category, things), told.join(", ")];
  });
  return table([["", "", ""], ...rows]).replace(/^\n/, "");
}
