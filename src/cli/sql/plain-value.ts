/** The values of DuckDB as values of JSON. */
import type { DuckDBValue } from "@duckdb/node-api";
import type { DuckDb } from "./duckdb.ts";

/**
 * Numbers where they are exact, else their digits as text; times as ISO 8601; lists, structs and maps as such; everything
 * else as DuckDB writes it.
 */
export function plainValue(duckDb: DuckDb, value: DuckDBValue): unknown {
  const plain = (inner: DuckDBValue): unknown => plainValue(duckDb, inner);
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof duckDb.DuckDBTimestampTZValue) return isoOf(value.micros, "Z") ?? String(value);
  if (value instanceof duckDb.DuckDBTimestampValue) return isoOf(value.micros, "") ?? String(value);
  if (value instanceof duckDb.DuckDBDecimalValue) return exactly(String(value));
  if (value instanceof duckDb.DuckDBListValue || value instanceof duckDb.DuckDBArrayValue)
    return value.items.map(plain);
  if (value instanceof duckDb.DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([key, inner]) => [key, plain(inner)]));
  }
  if (value instanceof duckDb.DuckDBMapValue) {
    return value.entries.map(({ key, value: inner }) => ({ key: plain(key), value: plain(inner) }));
  }
  return String(value);
}

/** Microseconds only where there are any. Undefined for what is not a time, like infinity. */
function isoOf(micros: bigint, zone: string): string | undefined {
  const date = new Date(Number(micros / 1_000n));
  if (Number.isNaN(date.getTime()) || micros < 0n) return undefined;
  const rest = Number(micros % 1_000n);
  return date.toISOString().replace("Z", `${rest === 0 ? "" : String(rest).padStart(3, "0")}${zone}`);
}

const exactDigits = 15;

function exactly(decimal: string): unknown {
  return decimal.replace(/\D/g, "").length <= exactDigits ? Number(decimal) : decimal;
}
