/** Names that people choose, as parts of the keys of rows: `/` stands between them, and three of them fit. */
import { digestOf } from "./digest.ts";

/** Keys are at most 512 characters. */
const maxLength = 130;
const keptLength = 100;

/** The name as it is, but for `/` and `%`; a long one is cut, with a digest. Other names give other segments. */
export function segment(name: string): string {
  const escaped = name.replace(/[%/]/g, (character) => (character === "/" ? "%2F" : "%25"));
  if (escaped.length <= maxLength) return escaped;
  return `${escaped.slice(0, keptLength)}%${digestOf(name)}`;
}
