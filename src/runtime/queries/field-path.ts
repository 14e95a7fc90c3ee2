/**
 * A field of a state by its path: `state`, or the keys of the context with dots between them. Keys may have dots of their
 * own, as versions do, so each key takes as much of the path as there is a key for.
 */
import type { ChartState } from "../../core/chart.ts";

/** The path of the state value itself. */
export const stateField = "state";

/** The value of a field; undefined where it is not there. */
export function fieldOf({ value, context }: ChartState, path: string): unknown {
  return path === stateField ? value : under(context, path);
}

function under(value: unknown, path: string): unknown {
  if (!isObject(value)) return undefined;
  if (Object.hasOwn(value, path)) return value[path];
  for (let dot = path.lastIndexOf("."); dot > 0; dot = path.lastIndexOf(".", dot - 1)) {
    const key = path.slice(0, dot);
    const found = Object.hasOwn(value, key) ? under(value[key], path.slice(dot + 1)) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The fields beside one that is not there: those of the deepest object that its path still leads to. */
export function fieldsNear({ context }: ChartState, path: string): string[] {
  for (let dot = path.lastIndexOf("."); dot > 0; dot = path.lastIndexOf(".", dot - 1)) {
    const parent = path.slice(0, dot);
    const value = under(context, parent);
    if (isObject(value)) return Object.keys(value).map((key) => `${parent}.${key}`);
  }
  return [stateField, ...Object.keys(isObject(context) ? context : {})];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
