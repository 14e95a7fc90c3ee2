/** Many commands one after another, as the runtime decides them: for laws that hold over whole histories. */
import type { Aggregate, ChartEvent } from "retrace";
import { decideCommand } from "../../src/core/aggregate.ts";
import { type ChartState, initialState } from "../../src/core/chart.ts";
import type { RawCommand } from "./arbitrary-command.ts";

/** What one command did; a refused or invalid one has no events. */
export interface Decided {
  readonly command: RawCommand;
  readonly events: readonly ChartEvent[];
  /** After it. */
  readonly state: ChartState;
}

/** Decides the commands in order, each on what the ones before it have left. */
export function decideAll(aggregate: Aggregate, commands: readonly RawCommand[]): Decided[] {
  let state = initialState(aggregate.machine);
  let version = 0;
  return commands.map((command) => {
    const events = decideOne(aggregate, { state, version, command });
    if (events.outcome === "accepted") {
      state = events.state;
      version += events.events.length;
    }
    return { command, events: events.outcome === "accepted" ? events.events : [], state };
  });
}

interface Input {
  readonly state: ChartState;
  readonly version: number;
  readonly command: RawCommand;
}

function decideOne(aggregate: Aggregate, { state, version, command }: Input) {
  const parsed = aggregate.schemas.commands[command.type]?.safeParse(command.data);
  if (parsed?.success !== true) return { outcome: "invalid" } as const;
  const now = "2026-01-01T00:00:00.000Z";
  const metadata = { correlationId: "c", causationId: "c", commandId: "c" };
  let next = version;
  return decideCommand(aggregate, {
    state,
    version,
    command: { type: command.type, data: parsed.data, occurredAt: now, metadata },
    context: { id: "x1", now },
    newId: () => `e${++next}`,
  });
}
