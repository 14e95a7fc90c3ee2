/** The order of keys: the law that every store's tables follow. */
import type { Key } from "../core/event-store.ts";

/** Negative, zero or positive, as `a` comes before, equals or comes behind `b`. */
export function compareKeys(a: Key, b: Key): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compareParts(a[i] as string | number, b[i] as string | number);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareParts(a: string | number, b: string | number): number {
  if (typeof a === "number") return typeof b === "number" ? a - b : -1;
  return typeof b === "number" ? 1 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Whether `key` begins with all parts of `prefix`. */
export function hasPrefix(key: Key, prefix: Key): boolean {
  return prefix.length <= key.length && prefix.every((part, i) => part === key[i]);
}
