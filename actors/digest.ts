/**
 * A digest by which an aggregate recognises a repetition without keeping what was repeated. It guards against mistakes,
 * not against attacks: whoever may send commands can do harm more simply.
 */

/** 53 bits of a JSON value; the order of fields does not matter. Two multiply-and-shift hashes run side by side. */
export function digestOf(value: unknown): number {
  const text = JSON.stringify(value, sortFields) ?? "";
  let a = 0x9e3779b9;
  let b = 0x85ebca6b;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x2c1b3c6d);
    b = Math.imul(b ^ code, 0x297a2d39);
  }
  a = Math.imul(a ^ (a >>> 15), 0x735a2d97) ^ b;
  b = Math.imul(b ^ (b >>> 13), 0xcaf649a9) ^ a;
  return (b >>> 11) * 0x1_0000_0000 + (a >>> 0);
}

function sortFields(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
