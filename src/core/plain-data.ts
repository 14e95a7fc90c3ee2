/** Plain data: what looks the same in memory, in the store, and as JSON on the wire. */

/** Bytes that a value takes besides its text, roughly. */
const valueWeight = 16;

/**
 * Freezes a value in depth and returns about how many bytes were not frozen yet: parts that are count as nothing, so a
 * value made from an older one costs what is new in it.
 * @throws TypeError naming the path of what is not plain: a function, a class's instance, NaN, undefined in an array.
 */
export function freezePlain(value: unknown, path = "the row"): number {
  switch (typeof value) {
    case "string":
      return valueWeight + value.length;
    case "boolean":
      return valueWeight;
    case "number":
      if (Number.isFinite(value)) return valueWeight;
      throw new TypeError(`${path} is ${value}, which JSON cannot carry`);
    case "object":
      return value === null ? valueWeight : freezeObject(value, path);
    default:
      throw new TypeError(
        `${path} is ${typeof value === "undefined" ? "undefined" : `a ${typeof value}`}, not plain data`,
      );
  }
}

function freezeObject(value: object, path: string): number {
  if (Object.isFrozen(value)) return valueWeight;
  let weight = valueWeight;
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) weight += freezePlain(item, `${path}[${i}]`);
  } else {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      throw new TypeError(`${path} is a ${value.constructor?.name ?? "class instance"}, not plain data`);
    }
    for (const [name, field] of Object.entries(value)) {
      // A field that is undefined is as good as absent.
      if (field !== undefined) weight += name.length + freezePlain(field, `${path}.${name}`);
    }
  }
  Object.freeze(value);
  return weight;
}
