/** Parked events of projections on the command line: printed, tried again, left out. */
import { colors } from "./colors.ts";
import { assertNamedOrAll } from "./parse.ts";
import { sayNothing, verbTools, withClient } from "./tools.ts";
import type { ClientOptions } from "./verb.ts";

interface ParkedLine {
  readonly position: number;
  readonly type: string;
  readonly stream: string;
  readonly reason: string;
  readonly at: string;
}

interface ParkedReply {
  readonly parked: readonly ParkedLine[];
  readonly next: number | null;
}

async function* allParked(options: ClientOptions, name: string): AsyncGenerator<ParkedLine> {
  const client = await verbTools.connect(options);
  try {
    for (let afterPosition: number | null = 0; afterPosition !== null; ) {
      const reply: ParkedReply = await client.query("projection-parked", { name, afterPosition });
      yield* reply.parked;
      afterPosition = reply.next;
    }
  } finally {
    await client.close();
  }
}

const nothingParked = "no event is parked";

/** Prints them, a line each. */
export async function printParked(name: string, options: ClientOptions): Promise<void> {
  let isEmpty = true;
  for await (const event of allParked(options, name)) {
    isEmpty = false;
    const { position, type, stream, reason, at } = event;
    const what = `${colors.cyan(stream)} ${colors.bold(type)}`;
    verbTools.print(options, `${colors.dim(String(position).padStart(6))} ${colors.dim(at)} ${what} ${reason}`, event);
  }
  if (isEmpty) sayNothing(options, nothingParked);
}

/** Which ones. */
export interface ChosenParked extends ClientOptions {
  readonly all?: boolean;
}

async function chosen(name: string, positions: readonly number[], options: ChosenParked): Promise<readonly number[]> {
  assertNamedOrAll(positions.length > 0, options.all === true, "positions");
  if (positions.length > 0) return positions;
  const all: number[] = [];
  for await (const { position } of allParked(options, name)) all.push(position);
  if (all.length === 0) sayNothing(options, nothingParked);
  return all;
}

/** Positions in one request. */
const maxPositions = 100;

async function inParts(
  name: string,
  positions: readonly number[],
  { verb, options }: { readonly verb: string; readonly options: ClientOptions },
  each: (reply: never) => void,
): Promise<void> {
  await withClient(options, async (client) => {
    for (let from = 0; from < positions.length; from += maxPositions) {
      each(await client.admin<never>(verb, { name, positions: positions.slice(from, from + maxPositions) }));
    }
  });
}

interface RetriedReply {
  readonly outcomes: readonly {
    readonly outcome: "applied" | "parked";
    readonly position: number;
    readonly reason?: string;
  }[];
}

/** Has them applied to the rows as they are now; status 1 when one cannot be. */
export async function retryParked(name: string, given: readonly number[], options: ChosenParked): Promise<void> {
  const positions = await chosen(name, given, options);
  await inParts(name, positions, { verb: "retry-parked", options }, ({ outcomes }: RetriedReply) => {
    for (const one of outcomes) {
      const said = one.outcome === "applied" ? "is applied" : `stays parked: ${one.reason}`;
      verbTools.print(options, `${one.position} ${said}`, one);
      if (one.outcome === "parked") verbTools.exitCode(1);
    }
  });
}

/** Leaves them out of the rows for good. */
export async function skipParked(name: string, given: readonly number[], options: ChosenParked): Promise<void> {
  const positions = await chosen(name, given, options);
  await inParts(
    name,
    positions,
    { verb: "skip-parked", options },
    (reply: { readonly positions: readonly number[] }) => {
      for (const position of reply.positions) verbTools.print(options, `${position} is skipped`, { position });
    },
  );
}
