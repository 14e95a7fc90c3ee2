/** A digest by which an aggregate recognises a repetition without keeping what was repeated. */
import { digest } from "retrace";

/** 53 bits of a JSON value; the order of fields does not matter. */
export function digestOf(value: unknown): number {
  return digest(JSON.stringify(value, sortFields) ?? "");
}

function sortFields(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
