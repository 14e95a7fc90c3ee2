/** How a bound, a set of values or a form of text changed from one schema to the next. */
import type { Alternative } from "./alternatives.ts";
import { type JsonSchema, textOf } from "./json-schema.ts";

/** One constraint that is not the same any more, and whether more values pass it than before, fewer, or others. */
export interface ConstraintChange {
  readonly kind: "values" | "bound" | "other";
  readonly effect: "wider" | "narrower" | "both";
  readonly what: string;
}

/** A limit, and whether it is itself outside. */
interface Limit {
  readonly value: number;
  readonly isExclusive: boolean;
}

const lower = ["minLength", "minItems", "minProperties"];
const upper = ["maxLength", "maxItems", "maxProperties"];
/** More than one of these, or another one, is another set of values. */
const forms = ["pattern", "format", "multipleOf", "uniqueItems"];
const numeric = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];

/** The keywords that `constraintChanges` compares. */
export const constraints: ReadonlySet<string> = new Set(["type", "enum", ...lower, ...upper, ...forms, ...numeric]);

/** What changed in the constraints on values of one type. */
export function constraintChanges(before: Alternative, after: Alternative): ConstraintChange[] {
  const [b, a] = [before.schema, after.schema];
  return [
    ...valueChanges(b.enum, a.enum),
    ...lower.flatMap((name) => limitChange(name, [floor(b[name]), floor(a[name])], 1)),
    ...upper.flatMap((name) => limitChange(name, [ceiling(b[name]), ceiling(a[name])], -1)),
    ...limitChange("minimum", [lowest(before), lowest(after)], 1),
    ...limitChange("maximum", [highest(before), highest(after)], -1),
    ...forms.flatMap((name) => formChange(name, b[name], a[name])),
  ];
}

function valueChanges(before: unknown, after: unknown): ConstraintChange[] {
  if (!Array.isArray(before) && !Array.isArray(after)) return [];
  if (!Array.isArray(before))
    return [{ kind: "values", effect: "narrower", what: `now allows only ${list(after as [])}` }];
  if (!Array.isArray(after)) return [{ kind: "values", effect: "wider", what: `no longer limited to ${list(before)}` }];
  const lost = without(before, after);
  const gained = without(after, before);
  return [
    ...(lost.length > 0
      ? [{ kind: "values", effect: "narrower", what: `no longer allows ${list(lost)}` } as const]
      : []),
    ...(gained.length > 0
      ? [{ kind: "values", effect: "wider", what: `now also allows ${list(gained)}` } as const]
      : []),
  ];
}

function without(values: readonly unknown[], others: readonly unknown[]): unknown[] {
  const texts = new Set(others.map(textOf));
  return values.filter((value) => !texts.has(textOf(value)));
}

function list(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value)).join(", ");
}

/** `inward` is the sign of a change that lets in fewer values. */
function limitChange(name: string, [before, after]: readonly [Limit, Limit], inward: 1 | -1): ConstraintChange[] {
  if (before.value === after.value && before.isExclusive === after.isExclusive) return [];
  const isInward = before.value === after.value ? after.isExclusive : (after.value - before.value) * inward > 0;
  const what = `${name} changed from ${written(before)} to ${written(after)}`;
  return [{ kind: "bound", effect: isInward ? "narrower" : "wider", what }];
}

function written({ value, isExclusive }: Limit): string {
  if (!Number.isFinite(value)) return "none";
  return isExclusive ? `${value} (exclusive)` : String(value);
}

function floor(value: unknown): Limit {
  return { value: typeof value === "number" ? value : 0, isExclusive: false };
}

function ceiling(value: unknown): Limit {
  return { value: typeof value === "number" ? value : Number.POSITIVE_INFINITY, isExclusive: false };
}

function lowest({ kind, schema }: Alternative): Limit {
  const { minimum, exclusiveMinimum } = numbersOf(schema);
  if (exclusiveMinimum >= minimum) return { value: exclusiveMinimum, isExclusive: Number.isFinite(exclusiveMinimum) };
  const isImplied = kind === "integer" && minimum <= Number.MIN_SAFE_INTEGER;
  return { value: isImplied ? Number.NEGATIVE_INFINITY : minimum, isExclusive: false };
}

function highest({ kind, schema }: Alternative): Limit {
  const { maximum, exclusiveMaximum } = numbersOf(schema);
  if (exclusiveMaximum <= maximum) return { value: exclusiveMaximum, isExclusive: Number.isFinite(exclusiveMaximum) };
  const isImplied = kind === "integer" && maximum >= Number.MAX_SAFE_INTEGER;
  return { value: isImplied ? Number.POSITIVE_INFINITY : maximum, isExclusive: false };
}

function numbersOf(schema: JsonSchema) {
  const number = (name: string, otherwise: number) => {
    const value = schema[name];
    return typeof value === "number" ? value : otherwise;
  };
  return {
    minimum: number("minimum", Number.NEGATIVE_INFINITY),
    exclusiveMinimum: number("exclusiveMinimum", Number.NEGATIVE_INFINITY),
    maximum: number("maximum", Number.POSITIVE_INFINITY),
    exclusiveMaximum: number("exclusiveMaximum", Number.POSITIVE_INFINITY),
  };
}

function formChange(name: string, before: unknown, after: unknown): ConstraintChange[] {
  if (textOf(before) === textOf(after)) return [];
  if (before === undefined) return [{ kind: "bound", effect: "narrower", what: `now has ${name} ${short(after)}` }];
  if (after === undefined) return [{ kind: "bound", effect: "wider", what: `no longer has ${name} ${short(before)}` }];
  return [{ kind: "other", effect: "both", what: `${name} changed from ${short(before)} to ${short(after)}` }];
}

function short(value: unknown): string {
  const text = String(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
