/** The figures of a queue for people who read a terminal. */
import type { Quantiles, QueueFigures } from "./arrivals-figures.ts";

/** Figures, and what they were found under. */
export interface QueueReport extends QueueFigures {
  readonly rules: { readonly leaseMinutes: number; readonly dueDays: number };
  /** Commands of reviewers that were refused, by code or reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Of the honeypots that a reviewer was given, how many they found. */
  readonly honeypots: Readonly<Record<string, { readonly agreed: number; readonly of: number }>>;
}

/** Several lines, ending with a line break. */
export function queueText(report: QueueReport): string {
  const { rules, reviews, events, waiting, turnaroundHours, expiredLeases, overdue, escalations } = report;
  const days = Object.entries(report.days).map(([day, { requested, waiting: ofDay, open }]) => {
    return [day, requested, ...cells(ofDay.firstPlaceMinutes), ...cells(ofDay.placeHours), open];
  });
  const dayTitles = ["day", "requested", ...titles("first, min"), ...titles("place, h"), "open at night"];
  const reviewers = Object.entries(report.reviewers).map(([name, work]) => {
    const { agreed, of } = report.honeypots[name] ?? { agreed: 0, of: 0 };
    return [name, work.votes, work.effortHours, work.mostLeases, work.expiredLeases, `${agreed} of ${of}`];
  });
  return [
    `${reviews} reviews, leases of ${rules.leaseMinutes} minutes, due in ${rules.dueDays} days; ${events} events`,
    `ended: ${counts(report.ended)}`,
    `until somebody takes the first place (minutes): ${text(waiting.firstPlaceMinutes)}`,
    `until a place is taken (hours): ${text(waiting.placeHours)}`,
    `until the votes are counted (hours): ${text(turnaroundHours)}`,
    `${expiredLeases} leases expired, ${overdue} reviews were overdue, ${escalations} escalations`,
    `refused: ${counts(report.refused)}`,
    "",
    table([dayTitles, ...days]),
    "",
    table([["reviewer", "votes", "hours", "most leases", "expired", "honeypots found"], ...reviewers]),
    "",
  ].join("\n");
}

function text({ count, p50, p90, p99 }: Quantiles): string {
  return `p50 ${p50}, p90 ${p90}, p99 ${p99}, of ${count}`;
}

function titles(of: string): string[] {
  return [`${of}: p50`, "p90", "p99"];
}

function cells({ count, p50, p90, p99 }: Quantiles): (string | number)[] {
  return count === 0 ? ["", "", ""] : [p50, p90, p99];
}

function counts(record: Readonly<Record<string, number>>): string {
  const all = Object.entries(record).map(([name, count]) => `${count} ${name}`);
  return all.length === 0 ? "nothing" : all.join(", ");
}

function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  const aligned = (cell: string | number, column: number): string => {
    const width = widths[column] ?? 0;
    return column === 0 ? String(cell).padEnd(width) : String(cell).padStart(width);
  };
  return rows.map((row) => row.map(aligned).join("  ")).join("\n");
}
