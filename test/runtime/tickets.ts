/** A small aggregate in two versions: the code that wrote a log, and the code that is to read it. */
import { type Aggregate, defineAggregate, type EventSchema, type NewEvent, type Upcaster } from "retrace";
import { assertEvent, assign, setup } from "xstate";
import { z } from "zod";
import type { ChartEventOf } from "../../src/core/aggregate.ts";

/** What the later code does otherwise. */
export interface Changes {
  /** Tickets cannot be opened again: a removed transition. */
  readonly noReopening?: true;
  /** Nobody closes what has an owner: a stricter guard. */
  readonly onlyUnowned?: true;
  /** A removed event type. */
  readonly noAssigning?: true;
  /** A new version of TicketOpened, with or without the way to it. */
  readonly upcaster?: "missing" | "throws" | "returns nothing" | "forgets the title" | "renames";
  /** A field that became required, without a new version. */
  readonly requiresOwner?: true;
  /** A fold that trusts in a field which old events lack. */
  readonly trusting?: true;
}

/** As the code that wrote the log has them. */
const opened = z.looseObject({ title: z.string() });
const assigned = z.looseObject({ owner: z.string().optional() });
const empty = z.looseObject({});

const schemas = {
  commands: {},
  events: { TicketOpened: opened, TicketAssigned: assigned, TicketClosed: empty, TicketReopened: empty },
};

interface Ticket {
  readonly title: string;
  readonly owner?: string;
}

type TicketEvent = ChartEventOf<typeof schemas>;

/** The aggregate `ticket`, as it was or with changes. */
export function ticket(changes: Changes = {}): Aggregate {
  const machine = setup({
    types: { context: {} as Ticket, events: {} as TicketEvent },
    guards: {
      mayClose: ({ context }) => changes.onlyUnowned === undefined || context.owner === undefined,
    },
    actions: {
      open: assign(({ event }) => {
        assertEvent(event, "TicketOpened");
        return { title: event.data.title };
      }),
      assign: assign(({ event }) => {
        assertEvent(event, "TicketAssigned");
        const { owner } = event.data;
        if (changes.trusting) return { owner: (owner as string).trim() };
        return owner === undefined ? {} : { owner };
      }),
    },
  }).createMachine({
    id: "ticket",
    context: { title: "" },
    initial: "empty",
    states: {
      empty: { on: { TicketOpened: { target: "open", actions: "open" } } },
      open: {
        on: {
          ...(changes.noAssigning ? {} : { TicketAssigned: { actions: "assign" } }),
          TicketClosed: { target: "closed", guard: "mayClose" },
        },
      },
      closed: { on: changes.noReopening ? {} : { TicketReopened: "open" } },
    },
  });
  const { TicketAssigned, ...others } = { ...schemas.events, TicketOpened: openedIn(changes) };
  const required = changes.requiresOwner ? z.looseObject({ owner: z.string() }) : TicketAssigned;
  const events = changes.noAssigning ? others : { ...others, TicketAssigned: required };
  return defineAggregate({ category: "ticket", schemas: { commands: {}, events }, machine, decide: {} });
}

function openedIn({ upcaster }: Changes): EventSchema {
  if (upcaster === undefined) return opened;
  const schema = upcaster === "renames" ? z.looseObject({ subject: z.string() }) : opened;
  const step = steps[upcaster];
  return { version: 2, schema, upcasters: step === undefined ? {} : { 1: step } };
}

const steps: Readonly<Record<NonNullable<Changes["upcaster"]>, Upcaster | undefined>> = {
  missing: undefined,
  throws: ({ author }) => ({ name: (author as { name: string }).name }),
  "returns nothing": () => undefined as never,
  "forgets the title": ({ title: _, ...rest }) => rest,
  renames: ({ title, ...rest }) => ({ ...rest, subject: title }),
};

let ids = 0;

/** An event of a ticket, to append. */
export function ticketEvent(id: string, type: string, data: unknown = {}, rest: Partial<NewEvent> = {}): NewEvent {
  ids += 1;
  const time = "2026-01-01T00:00:00.000Z";
  return {
    id: `e${ids}`,
    stream: `ticket-${id}`,
    category: "ticket",
    type,
    schemaVersion: 1,
    data,
    occurredAt: time,
    recordedAt: time,
    metadata: { correlationId: "c", causationId: "c", commandId: "c" },
    ...rest,
  };
}
