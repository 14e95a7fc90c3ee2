/** The rules a projection must keep so that its rows can be kept and found: checked once, at start. */
import type { Projection } from "./projection.ts";
import { isCategory } from "./stream.ts";

const maxIndexes = 16;

/** All problems of one projection, as sentences; none means it may serve. */
export function checkProjection(projection: Projection): string[] {
  const { name, version, mode, description, indexes, on } = projection;
  const problems: string[] = [];
  if (typeof name !== "string" || !isCategory(name)) problems.push(`name "${name}" is not kebab-case`);
  if (!Number.isSafeInteger(version) || version < 1) problems.push(`version ${version} is not an integer from 1`);
  if (mode !== "sync" && mode !== "async") problems.push(`mode "${mode}" is neither "sync" nor "async"`);
  if (description !== undefined && typeof description !== "string") problems.push("the description is not a text");
  problems.push(...checkIndexes(indexes));
  if (typeof on !== "object" || on === null || Object.keys(on).length === 0) {
    return [...problems, "it listens to no event"];
  }
  for (const [type, handler] of Object.entries(on)) problems.push(...checkHandler(type, handler));
  return problems;
}

/** Event types that a projection listens to and nobody records; those of sagas are the runtime's own. */
export function checkListensTo(projection: Projection, types: ReadonlySet<string>): string[] {
  return Object.keys(projection.on)
    .filter((type) => !types.has(type) && !/^Saga[A-Z]/.test(type))
    .map((type) => `it listens to ${type}, which no aggregate records`);
}

function checkIndexes(indexes: unknown): string[] {
  if (!Array.isArray(indexes)) return ["its indexes are not a list of fields"];
  const problems = indexes
    .filter((field) => typeof field !== "string" || !/^[^.]+(\.[^.]+)*$/.test(field))
    .map((field) => `index ${JSON.stringify(field)} is not a field, or fields with dots between them`);
  if (new Set(indexes).size < indexes.length) problems.push("an index is listed twice");
  if (indexes.length > maxIndexes) problems.push(`${indexes.length} indexes are more than ${maxIndexes}`);
  return problems;
}

function checkHandler(type: string, handler: unknown): string[] {
  const problems = /^[A-Z][A-Za-z0-9]{0,63}$/.test(type) ? [] : [`type ${type} is not PascalCase`];
  const { key, apply } = (typeof handler === "object" && handler !== null ? handler : {}) as Record<string, unknown>;
  const isHandler = typeof handler === "function" || (typeof key === "function" && typeof apply === "function");
  return isHandler ? problems : [...problems, `on ${type}: neither a function nor {key, apply}`];
}
