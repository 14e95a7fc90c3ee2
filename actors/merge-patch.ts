/** JSON merge patches, RFC 7396: how an agent's working state changes. Pure, and safe on any JSON. */
import { isDeepStrictEqual } from "node:util";

/**
 * `target` with `patch` applied: a field of the patch replaces, `null` removes, objects are merged, everything else
 * (arrays, too) is taken whole. Neither argument is changed; the result shares what stayed the same. A field named
 * `__proto__` is a field like any other.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  // A map and fromEntries define fields where an assignment would set the prototype.
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

/**
 * The patch that makes `after` of `before`; empty where nothing changes. No patch can set a field to null, so of `after`
 * such fields count as absent. `before` has none.
 */
export function patchBetween(before: Fields, after: Fields): Fields {
  return difference(before, mergePatch({}, after) as Fields);
}

function difference(before: Fields, after: Fields): Fields {
  const gone = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  const changed = Object.entries(after).flatMap(([name, value]): [string, unknown][] => {
    const old = Object.hasOwn(before, name) ? before[name] : undefined;
    if (isDeepStrictEqual(old, value)) return [];
    return [[name, isObject(old) && isObject(value) ? difference(old, value) : value]];
  });
  return Object.fromEntries([...gone.map((name): [string, unknown] => [name, null]), ...changed]);
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
