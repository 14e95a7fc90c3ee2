/** Fields that are there: rows leave out what is not known, and have names that users choose. */

/** What `Given` has without those that are undefined. */
export type GivenFields<Fields> = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };

/** The same object without the fields that are undefined. */
export function given<Fields extends object>(fields: Fields): GivenFields<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as GivenFields<Fields>;
}

/** The field of that name, which users choose: never what every object has, like `constructor`. */
export function fieldIn<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
