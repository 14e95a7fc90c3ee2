/**
 * What changed from one JSON Schema to the next, field by field. Conservative: what cannot be compared and is not the same
 * text is reported as changed. Who is hurt by a difference is for `compatibility.ts` to say.
 */
import { type Alternative, alternativesOf, type Located } from "./alternatives.ts";
import { constraintChanges, constraints } from "./bounds.ts";
import { asSchema, type JsonSchema, textOf } from "./json-schema.ts";

/** One difference between two schemas. */
export interface Difference {
  /** Dotted from the top, empty for the whole: `steps[].loss`, `metrics.*`, `shape(kind=circle).radius`. */
  readonly path: string;
  readonly kind:
    | "field-removed"
    | "field-added"
    | "required-field-added"
    | "presence"
    | "type"
    | "values"
    | "bound"
    | "default"
    | "other";
  /** Whether the schema lets in more values than before, fewer, others, or the same ones. */
  readonly effect: "wider" | "narrower" | "both" | "none";
  /** In words, without the path. */
  readonly what: string;
}

/** Two schemas at the same place. */
interface Pair {
  readonly before: Located;
  readonly after: Located;
  readonly path: string;
  /** The pairs that this one lies in: a schema may contain itself. */
  readonly around: readonly Pair[];
}

/** Two schemas at the same place, for values of the same type. */
interface AlternativePair {
  readonly before: Alternative;
  readonly after: Alternative;
  readonly at: Pair;
}

/** All differences, in the order of the fields. */
export function differences(before: JsonSchema, after: JsonSchema): Difference[] {
  const [b, a] = [before, after].map((schema) => ({ schema, root: schema })) as [Located, Located];
  return compare({ before: b, after: a, path: "", around: [] });
}

function compare(pair: Pair): Difference[] {
  const { before, after, around } = pair;
  const isCompared = around.some((one) => one.before.schema === before.schema && one.after.schema === after.schema);
  if (isCompared) return [];
  return [...defaultChange(pair), ...compareAlternatives(alternativesOf(before), alternativesOf(after), pair)];
}

function defaultChange({ before, after, path }: Pair): Difference[] {
  const [b, a] = [textOf(before.schema.default), textOf(after.schema.default)];
  if (b === a) return [];
  const what = `default changed from ${b || "none"} to ${a || "none"}`;
  return [{ path, kind: "default", effect: "none", what }];
}

function compareAlternatives(
  before: readonly Alternative[],
  after: readonly Alternative[],
  at: Pair,
): readonly Difference[] {
  const isOpen = (alternatives: readonly Alternative[]) => alternatives.some(({ kind }) => kind === "any");
  if (isOpen(before) && isOpen(after)) return [];
  if (isOpen(before)) return [typeChange(before, after, "narrower", at)];
  if (isOpen(after)) return [typeChange(before, after, "wider", at)];

  const [b, a] = alignNumbers(before, after);
  const lost = b.filter(({ kind }) => !has(a, kind));
  const gained = a.filter(({ kind }) => !has(b, kind));
  const shared = [...new Set(b.map(({ kind }) => kind))].filter((kind) => has(a, kind));
  return [
    ...numberChange(before, after, at),
    ...(lost.length > 0 || gained.length > 0 ? [typeChange(before, after, effectOf(lost, gained), at)] : []),
    ...shared.flatMap((kind) => matchUp(only(b, kind), only(a, kind), at)),
  ];
}

function has(alternatives: readonly Alternative[], kind: string): boolean {
  return alternatives.some((one) => one.kind === kind);
}

function only(alternatives: readonly Alternative[], kind: string): Alternative[] {
  return alternatives.filter((one) => one.kind === kind);
}

function effectOf(lost: readonly unknown[], gained: readonly unknown[]): "wider" | "narrower" | "both" {
  if (lost.length > 0 && gained.length > 0) return "both";
  return gained.length > 0 ? "wider" : "narrower";
}

function typeChange(
  before: readonly Alternative[],
  after: readonly Alternative[],
  effect: Difference["effect"],
  { path }: Pair,
): Difference {
  return { path, kind: "type", effect, what: `type changed from ${typesOf(before)} to ${typesOf(after)}` };
}

function typesOf(alternatives: readonly Alternative[]): string {
  const names = alternatives.map(({ kind }) => (kind === "other" ? "something else" : kind));
  if (names.includes("any")) return "any";
  return names.length === 0 ? "nothing" : [...new Set(names)].join(" or ");
}

/** Integers that became numbers, or the reverse, are compared as numbers; that they did is a difference of its own. */
function alignNumbers(
  before: readonly Alternative[],
  after: readonly Alternative[],
): [readonly Alternative[], readonly Alternative[]] {
  if (numberEffect(before, after) === undefined) return [before, after];
  const aligned = (one: Alternative): Alternative => (one.kind === "integer" ? asNumber(one) : one);
  return [before.map(aligned), after.map(aligned)];
}

function numberEffect(before: readonly Alternative[], after: readonly Alternative[]): "wider" | "narrower" | undefined {
  const [b, a] = [before, after].map((all) => `${has(all, "integer")} ${has(all, "number")}`);
  if (b === "true false" && a === "false true") return "wider";
  return b === "false true" && a === "true false" ? "narrower" : undefined;
}

function asNumber({ schema }: Alternative): Alternative {
  const { minimum, maximum, ...rest } = schema;
  const isImplied = (bound: unknown) => bound === undefined || Math.abs(Number(bound)) === Number.MAX_SAFE_INTEGER;
  return {
    kind: "number",
    schema: { ...rest, ...(!isImplied(minimum) && { minimum }), ...(!isImplied(maximum) && { maximum }) },
  };
}

function numberChange(before: readonly Alternative[], after: readonly Alternative[], at: Pair): Difference[] {
  const effect = numberEffect(before, after);
  return effect === undefined ? [] : [typeChange(before, after, effect, at)];
}

/**
 * Finds which alternative of a type became which: those that are the same, those with the same tag, the only ones that are
 * left.
 */
function matchUp(before: readonly Alternative[], after: readonly Alternative[], at: Pair): Difference[] {
  if (before.length === 1 && after.length === 1) return compareOne({ before: before[0]!, after: after[0]!, at });
  const left = [...after];
  const take = (found: number) => (found < 0 ? undefined : left.splice(found, 1)[0]);
  const unlike = before.filter((b) => take(left.findIndex((a) => isSame(b, a, at))) === undefined);
  const found: Difference[] = [];
  const gone = unlike.filter((b) => {
    const tag = tagOf(b);
    const a = tag === "" ? undefined : take(left.findIndex((one) => tagOf(one) === tag));
    if (a === undefined) return true;
    found.push(...compareOne({ before: b, after: a, at: { ...at, path: `${at.path}(${tag})` } }));
    return false;
  });
  const [b, a] = [gone[0], left[0]];
  const areOne = gone.length === 1 && left.length === 1 && tagOf(b!) === "" && tagOf(a!) === "";
  return [...found, ...(areOne ? compareOne({ before: b!, after: a!, at }) : unmatched(gone, left, at))];
}

function isSame(before: Alternative, after: Alternative, at: Pair): boolean {
  return compareOne({ before, after, at }).length === 0;
}

/** What tells an object from others in its union: its fields that have one value only. */
function tagOf({ schema }: Alternative): string {
  return Object.entries(asSchema(schema.properties))
    .flatMap(([name, field]) => {
      const { const: value, enum: values } = asSchema(field);
      const single = Array.isArray(values) && values.length === 1 ? values[0] : value;
      return single === undefined ? [] : [`${name}=${String(single)}`];
    })
    .sort()
    .join(",");
}

function unmatched(gone: readonly Alternative[], come: readonly Alternative[], { path }: Pair): Difference[] {
  if (gone.length === 0 && come.length === 0) return [];
  const effect = effectOf(gone, come);
  const name = (one: Alternative) => (tagOf(one) === "" ? one.kind : `${one.kind} (${tagOf(one)})`);
  const names = (all: readonly Alternative[]) => all.map(name).join(", ");
  const words = [
    ...(gone.length > 0 ? [`no longer ${names(gone)}`] : []),
    ...(come.length > 0 ? [`now also ${names(come)}`] : []),
  ];
  return [{ path, kind: "type", effect, what: `alternatives changed: ${words.join(", ")}` }];
}

/** Compares two schemas for values of one type. */
function compareOne({ before, after, at }: AlternativePair): Difference[] {
  const pair = { before, after, at };
  if (before.kind === "other")
    return isOnlyAllOf(before) && isOnlyAllOf(after) ? compareAllOf(pair) : compareText(pair);
  return [
    ...constraintChanges(before, after).map((change) => ({ path: at.path, ...change })),
    ...(before.kind === "object" ? compareObjects(pair) : []),
    ...(before.kind === "array" ? compareArrays(pair) : []),
    ...compareAllOf(pair),
    ...compareUnknown(pair),
  ];
}

function isOnlyAllOf({ schema }: Alternative): boolean {
  return Array.isArray(schema.allOf) && Object.keys(schema).length === 1;
}

function compareText({ before, after, at }: AlternativePair): Difference[] {
  if (opaque(before.schema, at.before) === opaque(after.schema, at.after)) return [];
  return [{ path: at.path, kind: "other", effect: "both", what: "the schema changed" }];
}

/** References are compared with what they may point to; the document itself is compared anyway. */
function opaque(value: unknown, { root }: Located): string {
  const text = textOf(value);
  return text.includes('"$ref"') ? text + textOf(root.$defs) : text;
}

const structure = new Set("properties required additionalProperties propertyNames items prefixItems allOf".split(" "));

function compareUnknown({ before, after, at }: AlternativePair): Difference[] {
  const keywords = new Set([...Object.keys(before.schema), ...Object.keys(after.schema)]);
  return [...keywords]
    .filter((keyword) => !structure.has(keyword) && !constraints.has(keyword))
    .filter((keyword) => opaque(before.schema[keyword], at.before) !== opaque(after.schema[keyword], at.after))
    .map((keyword) => ({ path: at.path, kind: "other", effect: "both", what: `${keyword} changed` }));
}

function compareObjects(pair: AlternativePair): Difference[] {
  const { before, after, at } = pair;
  const [b, a] = [asSchema(before.schema.properties), asSchema(after.schema.properties)];
  const fields = new Set([...Object.keys(b), ...Object.keys(a), ...requiredOf(before), ...requiredOf(after)]);
  return [
    ...[...fields].flatMap((name) => compareField(name, pair)),
    ...compareOthers(pair),
    ...below(at, inside(at.path, "(name)"), [namesOf(before), namesOf(after)]),
  ];
}

function namesOf({ schema }: Alternative): JsonSchema {
  return { type: "string", ...asSchema(schema.propertyNames) };
}

function inside(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function requiredOf({ schema }: Alternative): readonly string[] {
  return Array.isArray(schema.required) ? (schema.required as string[]) : [];
}

function compareField(name: string, { before, after, at }: AlternativePair): Difference[] {
  const path = inside(at.path, name);
  const field = ({ schema }: Alternative) => {
    const properties = asSchema(schema.properties);
    return Object.hasOwn(properties, name) ? asSchema(properties[name]) : undefined;
  };
  const [b, a] = [field(before), field(after)];
  const [wasRequired, isRequired] = [requiredOf(before).includes(name), requiredOf(after).includes(name)];
  if (b !== undefined && a === undefined)
    return [{ path, kind: "field-removed", effect: "both", what: "field removed" }];
  if (b === undefined && a !== undefined) return addition(at, path, { field: a, isRequired, others: before });
  return [...presenceChange(path, wasRequired, isRequired), ...below(at, path, [b, a])];
}

/** An optional field narrows an object that took it in any form before, and widens one that refused it. */
function addition(at: Pair, path: string, { field, isRequired, others }: Addition): Difference[] {
  const before = asSchema(others.schema.additionalProperties);
  if (isRequired) {
    const effect = refuses(before) ? "both" : "narrower";
    return [{ path, kind: "required-field-added", effect, what: "new required field" }];
  }
  const what = "new optional field";
  if (refuses(before)) return [{ path, kind: "field-added", effect: "wider", what }];
  if (Object.keys(before).length > 0)
    return [{ path, kind: "field-added", effect: "none", what }, ...below(at, path, [before, field])];
  const isNarrower = below(at, path, [before, field]).length > 0;
  return [{ path, kind: "field-added", effect: isNarrower ? "narrower" : "none", what }];
}

interface Addition {
  readonly field: JsonSchema;
  readonly isRequired: boolean;
  /** What had room for the field before, or not. */
  readonly others: Alternative;
}

function refuses(schema: JsonSchema): boolean {
  return textOf(schema) === textOf(asSchema(false));
}

function presenceChange(path: string, wasRequired: boolean, isRequired: boolean): Difference[] {
  if (wasRequired === isRequired) return [];
  const [effect, what] = isRequired
    ? (["narrower", "became required"] as const)
    : (["wider", "became optional"] as const);
  return [{ path, kind: "presence", effect, what }];
}

/** The fields that are not named: all the fields of a record. */
function compareOthers({ before, after, at }: AlternativePair): Difference[] {
  const [b, a] = [asSchema(before.schema.additionalProperties), asSchema(after.schema.additionalProperties)];
  const { path } = at;
  if (refuses(b) && refuses(a)) return [];
  if (refuses(b)) return [{ path, kind: "bound", effect: "wider", what: "other fields are no longer refused" }];
  if (refuses(a)) return [{ path, kind: "bound", effect: "narrower", what: "other fields are now refused" }];
  return below(at, inside(path, "*"), [b, a]);
}

function compareArrays({ before, after, at }: AlternativePair): Difference[] {
  const first = ({ schema }: Alternative): readonly unknown[] =>
    Array.isArray(schema.prefixItems) ? schema.prefixItems : [];
  const [b, a] = [first(before), first(after)];
  const length = Math.max(b.length, a.length);
  const item = (items: readonly unknown[], { schema }: Alternative, i: number) =>
    i < items.length ? items[i] : schema.items;
  return [
    ...Array.from({ length }, (_, i) => i).flatMap((i) =>
      below(at, `${at.path}[${i}]`, [item(b, before, i), item(a, after, i)]),
    ),
    ...below(at, `${at.path}[]`, [before.schema.items, after.schema.items]),
  ];
}

/** All of several schemas: one more lets in fewer values, one less more. */
function compareAllOf({ before, after, at }: AlternativePair): Difference[] {
  const members = ({ schema }: Alternative) => (Array.isArray(schema.allOf) ? schema.allOf.map(asSchema) : []);
  const left = members(after);
  const gone = members(before).filter((b) => {
    const found = left.findIndex((a) => below(at, at.path, [b, a]).length === 0);
    if (found >= 0) left.splice(found, 1);
    return found < 0;
  });
  if (gone.length === left.length) return gone.flatMap((b, i) => below(at, at.path, [b, left[i]]));
  const effect = gone.length > 0 && left.length > 0 ? "both" : gone.length > 0 ? "wider" : "narrower";
  return [{ path: at.path, kind: "other", effect, what: "what has to hold together (allOf) changed" }];
}

function below(at: Pair, path: string, [before, after]: readonly [unknown, unknown]): Difference[] {
  return compare({
    before: { schema: asSchema(before), root: at.before.root },
    after: { schema: asSchema(after), root: at.after.root },
    path,
    around: [...at.around, at],
  });
}
