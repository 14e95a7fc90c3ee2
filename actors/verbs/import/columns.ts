/** Takes values out of rows whose columns have other names in other files. An empty cell, or null, is no value. */
import { BadRow } from "./bad-row.ts";
import type { Fields } from "./read-rows.ts";

/** The names that one column goes by, the first of them for people. */
export type Names = readonly [string, ...string[]];

/** Whether the row has the column, with a value or without. */
export function hasColumn(fields: Fields, names: Names): boolean {
  return names.some((name) => Object.hasOwn(fields, name));
}

/** Whatever JSON it is. */
export function valueIn(fields: Fields, names: Names): unknown {
  return find(fields, names)[1];
}

/** A text, or a number or truth value as one. @throws BadRow when it is a list or an object. */
export function textIn(fields: Fields, names: Names): string | undefined {
  const [name, value] = find(fields, names);
  if (typeof value === "object") throw new BadRow(`${name} is not a text`);
  return value === undefined ? undefined : String(value);
}

/** The same where the row must have it. @throws BadRow when it has none. */
export function requiredText(fields: Fields, names: Names): string {
  const text = textIn(fields, names);
  if (text === undefined) throw new BadRow(`no ${names[0]}`);
  return text;
}

/** A text of at most so many characters; what is longer is cut. @throws BadRow as `textIn`. */
export function shortTextIn(fields: Fields, names: Names, characters: number): string | undefined {
  return textIn(fields, names)?.slice(0, characters);
}

/** A finite number. @throws BadRow when it is something else. */
export function numberIn(fields: Fields, names: Names): number | undefined {
  const [name, value] = find(fields, names);
  if (value === undefined) return undefined;
  const number = typeof value === "string" ? Number(value.trim() || "none") : value;
  if (typeof number === "number" && Number.isFinite(number)) return number;
  throw new BadRow(`${name} is not a number: ${JSON.stringify(value)}`);
}

/** A number from 0. @throws BadRow when it is something else. */
export function countIn(fields: Fields, names: Names): number | undefined {
  const number = numberIn(fields, names);
  if (number !== undefined && number < 0) throw new BadRow(`${names[0]} is less than 0: ${number}`);
  return number;
}

/**
 * A time as ISO 8601 in UTC. Written as ISO 8601, in UTC where it names no zone, or as seconds or milliseconds since 1970.
 * @throws BadRow when it is neither.
 */
export function timeIn(fields: Fields, names: Names): string | undefined {
  const [name, value] = find(fields, names);
  if (value === undefined) return undefined;
  const time = isoTimeOf(String(value).trim());
  if (time !== undefined) return time;
  throw new BadRow(`${name} is no time, neither as ISO 8601 nor as a number since 1970: ${JSON.stringify(value)}`);
}

/** The same of a text; undefined when it is neither. */
export function isoTimeOf(text: string): string | undefined {
  const time = new Date(epochMs(text));
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

const isoTime = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?$/;
/** As milliseconds it is a day of March 1973, as seconds one of the year 5138. */
const leastMs = 1e11;

function epochMs(text: string): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) < leastMs ? Number(text) * 1000 : Number(text);
  const [, date, time, zone = "Z"] = isoTime.exec(text) ?? [];
  return Date.parse(`${date}T${time}${zone}`);
}

function find(fields: Fields, names: Names): readonly [name: string, value: unknown] {
  for (const name of names) {
    const value = fields[name];
    if (value !== undefined && value !== null && value !== "") return [name, value];
  }
  return [names[0], undefined];
}
