/** What the clients of a simulation want: orders of several kinds, each with one end that it must come to. */
import type { Random } from "../support/random.ts";

/** A command that a client sends until it is accepted, and maybe again. */
export interface PlannedCommand {
  readonly category: string;
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
  readonly commandId: string;
  /** Sent only when this one was accepted. */
  readonly after: PlannedCommand | undefined;
}

/** How an order is meant to end. */
export type OrderKind = "shipped" | "paused" | "cancelled" | "late" | "sold out" | "poor" | "sold out and poor";

/** What a simulation does, whatever happens on the way. */
export interface Plan {
  /** Before the first order. */
  readonly stock: readonly PlannedCommand[];
  readonly commands: readonly PlannedCommand[];
  readonly orders: number;
}

const kinds: readonly OrderKind[] = ["shipped", "paused", "cancelled", "late", "sold out", "poor", "sold out and poor"];
const customers = 3;
const plenty = 1_000;

export function makePlan(random: Random): Plan {
  const orders = 1 + random.integer(5);
  const stock = [
    ...["s1", "s2", "s3"].map((id) => command("stock", id, "Fill", { amount: plenty })),
    command("account", "rich", "Deposit", { amount: plenty }),
  ];
  const commands = Array.from({ length: orders }, (_, i) => {
    const kind = kinds[random.integer(kinds.length)] as OrderKind;
    return orderCommands(`o${i}`, kind, random);
  });
  // The second of them does not fit, and is not followed.
  const settings = [{ remark: "first" }, { patienceMs: "soon" }, { remark: "third" }].slice(0, random.integer(4));
  const policies = settings.map((one, i) => ({
    ...command("policy", "fulfilment", "SetPolicy", { settings: one }),
    commandId: `policy ${i}`,
  }));
  return { stock, commands: [...commands.flat(), ...policies], orders };
}

function orderCommands(id: string, kind: OrderKind, random: Random): PlannedCommand[] {
  const available = random.shuffled(["s1", "s2", "s3"]).slice(0, 1 + random.integer(3));
  const place = command("purchase", id, "Place", {
    customer: `c${random.integer(customers)}`,
    stocks: kind.startsWith("sold out") ? random.shuffled([...available, "empty"]) : available,
    account: kind.endsWith("poor") ? "poor" : "rich",
    amount: 1 + random.integer(9),
  });
  const then = (type: string, after: PlannedCommand): PlannedCommand => command("purchase", id, type, {}, after);
  if (kind === "shipped") return [place, then("Ship", place)];
  if (kind === "cancelled") return [place, then("Cancel", place)];
  if (kind !== "paused") return [place];
  const pause = then("Pause", place);
  const resume = then("Resume", pause);
  return [place, pause, resume, then("Ship", resume)];
}

function command(category: string, id: string, type: string, data: unknown, after?: PlannedCommand): PlannedCommand {
  return { category, id, type, data, after, commandId: `${type} of ${category}-${id}` };
}
