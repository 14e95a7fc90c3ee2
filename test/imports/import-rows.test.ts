/** Sending rows: what becomes of each is counted, and what ends an import before the end of its file. */
import { type Client, Fault } from "retrace";
import { expect, test } from "vitest";
import { importRows, type ReadRow } from "../../actors/verbs/import/import-rows.ts";

const source = { name: "a.tsv", sha256: "aa" };

/** A row of so many commands on a stream of its own. */
function row(line: number, commands = 1): ReadRow {
  const command = { category: "feedback", id: `s${line}`, type: "RateOutput", data: { rating: line } };
  return { line, commands: Array<typeof command>(commands).fill(command) };
}

type Outcome = number | Fault;

/** Answers command after command: so many new events, or a fault. What is sent beyond them is a mistake of the test. */
async function importAgainst(outcomes: readonly Outcome[], rows: Iterable<ReadRow>, isInterrupted = () => false) {
  const told: string[] = [];
  const lines: number[] = [];
  const sent: unknown[] = [];
  const client = {
    async *sendMany(commands: Iterable<unknown>) {
      for (const command of commands) {
        const outcome = outcomes[sent.length] as Outcome;
        sent.push(command);
        if (outcome instanceof Fault) yield { command, fault: outcome };
        else yield { command, reply: { events: Array(outcome).fill({}) } };
      }
    },
  } as unknown as Client;
  const outcome = await importRows(
    client,
    { source, rows },
    {
      isInterrupted,
      onProblem: (line, reason) => told.push(`${line}: ${reason}`),
      onLines: (count) => lines.push(count),
    },
  );
  return { ...outcome, told, lines, sent };
}

test("a row is new, there already, or bad, whatever number of commands it has", async () => {
  const rejected = new Fault("REJECTED", "that cannot be");
  const rows = [row(2), row(3, 3), { line: 4, reason: "no item" }, row(5, 2), row(7, 3), row(8)];
  const outcome = await importAgainst([1, 0, 1, 0, 0, 0, 1, rejected, rejected, 0], rows);
  expect(outcome).toMatchObject({ source, rows: 6, newEvents: 3, alreadyThere: 2, badRows: 2 });
  expect(outcome.told).toEqual(["4: no item", "7: that cannot be", "7: that cannot be"]);
  expect(outcome.lines).toEqual([2, 1, 2, 2, 1]);
  expect(outcome).not.toHaveProperty("stopped");
});

test("every command says which file and line it comes from, and which of the line's commands it is", async () => {
  const at = "2026-01-01T00:00:00.000Z";
  const dated: ReadRow = {
    line: 3,
    commands: [{ category: "feedback", id: "s", type: "RateOutput", data: { rating: 1 }, occurredAt: at }],
  };
  const { sent } = await importAgainst([1, 1, 1, 1], [row(2, 2), dated, row(3)]);
  const options = { correlationId: "import-aa" };
  expect(sent).toMatchObject([
    { id: "s2", command: { data: { rating: 2, source, sourceLine: 2 } }, options },
    { id: "s2", command: { data: { rating: 2, source, sourceLine: 2, sourcePart: 2 } } },
    { id: "s", command: { data: { rating: 1, source, sourceLine: 3 } }, options: { ...options, occurredAt: at } },
    { id: "s3", command: { data: { rating: 3, source, sourceLine: 3, sourcePart: 2 } } },
  ]);
});

test.each([
  "BUS_UNAVAILABLE",
  "STORE_UNAVAILABLE",
  "OVERLOADED",
  "SHUTTING_DOWN",
  "UNKNOWN_CATEGORY",
  "UNKNOWN_COMMAND",
] as const)("%s ends it: what follows could overtake the row, or would fare no better", async (code) => {
  const outcome = await importAgainst([1, new Fault(code, "not now")], [row(2), row(3), row(4)]);
  expect(outcome).toMatchObject({ rows: 1, newEvents: 1, badRows: 0, stopped: { line: 3, reason: "not now" } });
  expect(outcome.sent).toHaveLength(2);
});

test("a file that has changed is refused as a whole, before anything behind its first row is sent", async () => {
  const changed = new Fault("REJECTED", "a.tsv was imported with other content", { reason: "SOURCE_CHANGED" });
  const read: number[] = [];
  function* rows(): Generator<ReadRow> {
    for (const line of [2, 3, 4]) {
      read.push(line);
      yield row(line, 2);
    }
  }
  const sent: unknown[] = [];
  const client = {
    async *sendMany(commands: Iterable<unknown>) {
      // As many at a time as there are, like the client's own.
      sent.push(...commands);
      yield { command: sent[0], fault: changed };
    },
  } as unknown as Client;
  await expect(importRows(client, { source, rows: rows() }, {})).rejects.toThrow("imported with other content");
  expect(sent).toHaveLength(2);
  expect(read).toEqual([2]);
});

test("an interruption ends it before the next row, and says behind which", async () => {
  const asked = { times: 0 };
  const outcome = await importAgainst([1, 1, 1], [row(2), row(3), row(4)], () => ++asked.times > 2);
  expect(outcome).toMatchObject({ rows: 2, newEvents: 2, stopped: { line: 3, reason: "interrupted" } });
  const atTheEnd = await importAgainst([1], [row(2)], () => ++asked.times === 5);
  expect(atTheEnd).not.toHaveProperty("stopped");
});
