/** Charts and schemas as text: the same text for the same code. */

/** Anything as JSON, functions by their source. */
export function descriptionOf(value: unknown): string {
  return JSON.stringify(value, (_key, one) => (typeof one === "function" ? sourceOf(one) : one));
}

/** XState's actions are the same text whatever they do; what they were given is in their properties. */
function sourceOf(value: object): unknown {
  return [String(value), { ...value }];
}
