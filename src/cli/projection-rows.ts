/** The rows of projections on the command line: printed, and compared. */
import { InvalidArgumentError } from "commander";
import { colors } from "./colors.ts";
import { sayNothing, verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

/** `loss={"lt": 1}` is a condition, `status=failed` a text, `step=3` a number. */
export function collectWhere(text: string, before: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const [, field, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (field === undefined || value === undefined) throw new InvalidArgumentError("FIELD=VALUE");
  try {
    return { ...before, [field]: JSON.parse(value) as unknown };
  } catch {
    return { ...before, [field]: value };
  }
}

interface RowsOptions extends ClientOptions {
  readonly keyPrefix?: string;
  readonly where: Readonly<Record<string, unknown>>;
  readonly limit?: number;
  readonly atPosition?: number;
}

interface RowsReply {
  readonly rows: readonly { readonly key: string; readonly value: unknown }[];
  readonly next: string | null;
}

const pageLimit = 1_000;

/** Prints one row, or all that are wanted, page by page. */
export function printRows(name: string, key: string | undefined, options: RowsOptions): Promise<void> {
  const { limit = Number.POSITIVE_INFINITY, atPosition } = options;
  return withClient(options, async (client) => {
    let isEmpty = true;
    let left = key === undefined ? limit : 1;
    let cursor: string | null | undefined;
    while (left > 0 && cursor !== null) {
      const { keyPrefix: prefix, where } = options;
      const search = { prefix, where, limit: Math.min(left, pageLimit), cursor };
      const body = { name, atPosition, ...(key === undefined ? search : { key }) };
      const reply: RowsReply = await client.query("projection", body);
      for (const row of reply.rows)
        verbTools.print(options, `${colors.cyan(row.key)} ${JSON.stringify(row.value)}`, row);
      isEmpty &&= reply.rows.length === 0;
      left -= reply.rows.length;
      cursor = reply.next;
    }
    if (isEmpty && limit !== 0) sayNothing(options, "no rows match");
  });
}

interface Compared {
  readonly name: string;
  readonly version: number;
  readonly position: number;
}

interface DiffReply {
  readonly a: Compared;
  readonly b: Compared;
  readonly compared: number;
  readonly differences: readonly { readonly key: string; readonly a?: unknown; readonly b?: unknown }[];
  readonly next: string | null;
}

/** Prints what differs, and ends with status 1 when anything does. */
export async function printDiff(a: string, given: string | undefined, options: ClientOptions): Promise<void> {
  const b = given ?? `${a.split("@")[0]}@standby`;
  let [compared, different] = [0, 0];
  const last = await withClient(options, async (client) => {
    let reply: DiffReply | undefined;
    do {
      const cursor = reply?.next ?? undefined;
      reply = await client.query<DiffReply>("projection-diff", { a, b, cursor });
      compared += reply.compared;
      different += reply.differences.length;
      for (const difference of reply.differences) verbTools.print(options, differenceLines(difference), difference);
    } while (reply.next !== null);
    return reply;
  });
  const sides = [last.a, last.b]
    .map(({ name, version, position }) => `${name}@${version} at ${position}`)
    .join(" and ");
  const summary = { compared, different, a: last.a, b: last.b };
  verbTools.print(options, `${different} of ${compared} rows differ between ${sides}`, summary);
  if (different > 0) verbTools.exitCode(1);
}

function differenceLines({ key, a, b }: DiffReply["differences"][number]): string {
  const sides = [
    a === undefined ? "" : colors.red(`- ${JSON.stringify(a)}`),
    b === undefined ? "" : colors.green(`+ ${JSON.stringify(b)}`),
  ];
  return [colors.cyan(key), ...sides.filter((side) => side !== "")].join("\n  ");
}
