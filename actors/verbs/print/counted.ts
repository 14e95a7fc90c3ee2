/** Counts for people. */

/** `1 row`, `2 rows`: the last word takes the s. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
