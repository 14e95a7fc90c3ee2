/** JSON merge patches, RFC 7396: how an agent's working state changes. Pure, and safe on any JSON. */

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

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
