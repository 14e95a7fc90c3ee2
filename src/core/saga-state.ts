/** What a saga's chart remembers, as bytes: JSON would lose dates, maps, sets and NaN, and the store's own records some of them. */
import { Packr } from "msgpackr";

/** Maps, sets, dates, NaN and whatever else structured clone knows survive. */
const packr = new Packr({ structuredClone: true });

/** @throws on what is no data, as symbols are. */
export function packState(state: unknown): Uint8Array {
  return packr.pack(state);
}

/** The inverse of `packState`. */
export function unpackState(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}
