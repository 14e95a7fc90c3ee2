/** Plain data: what looks the same in memory, in the store, and as JSON on the wire. */

/** Bytes that a value takes besides its text, roughly. */
const valueWeight = 16;

/**
 * Freezes a value in depth and returns about how many bytes were not frozen yet: parts that are count as nothing, so a
 * value made from an older one costs what is new in it.
 * @throws TypeError naming the path of what is not plain: a function, a class's instance, NaN, undefined in an array.
 */
export function freezePlain(value: unknown, path: Path = { name: "the row" }): number {
  const weight = leafWeight(value);
  if (weight !== undefined) return weight;
  if (typeof value === "object" && value !== null) return freezeObject(value, path);
  if (typeof value === "number") throw new TypeError(`${textOf(path)} is ${value}, which JSON cannot carry`);
  throw new TypeError(`${textOf(path)} is ${value === undefined ? "undefined" : `a ${typeof value}`}, not plain data`);
}

/** Of what is plain and holds nothing. */
function leafWeight(value: unknown): number | undefined {
  if (typeof value === "string") return valueWeight + value.length;
  return typeof value === "boolean" || value === null || Number.isFinite(value) ? valueWeight : undefined;
}

/** Where a value is: a text only when it is asked for, because that costs more than the freezing. */
interface Path {
  readonly of?: Path;
  readonly name: string | number;
}

function textOf({ of, name }: Path): string {
  if (of === undefined) return String(name);
  return typeof name === "number" ? `${textOf(of)}[${name}]` : `${textOf(of)}.${name}`;
}

function freezeObject(value: object, path: Path): number {
  if (Object.isFrozen(value)) return valueWeight;
  let weight = valueWeight;
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) weight += leafWeight(item) ?? freezePlain(item, { of: path, name: i });
  } else {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      throw new TypeError(`${textOf(path)} is a ${value.constructor?.name ?? "class instance"}, not plain data`);
    }
    for (const name of Object.keys(value)) {
      const field = (value as Readonly<Record<string, unknown>>)[name];
      // A field that is undefined is as good as absent.
      if (field !== undefined) weight += name.length + (leafWeight(field) ?? freezePlain(field, { of: path, name }));
    }
  }
  Object.freeze(value);
  return weight;
}
