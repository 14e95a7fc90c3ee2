/** A digest by which an aggregate recognises a repetition without keeping what was repeated. */
import { digest } from "retrace";
import { canonicalJson } from "./canonical-json.ts";

/** 53 bits of a JSON value; the order of fields does not matter. */
export function digestOf(value: unknown): number {
  return digest(canonicalJson(value) ?? "");
}
