/** One conversation with the runtime: everything the demonstration sends belongs together by its correlation id. */
import { randomBytes } from "node:crypto";
import type { Client, CommandReply } from "retrace";

/** A client that speaks in one conversation. */
export interface Conversation {
  readonly client: Client;
  /** Also the end of every id, so that the demonstration can run again on the same log. */
  readonly correlationId: string;
  readonly ids: { readonly dataset: string; readonly model: string };
  runId(version: string): string;
  lineId(index: number): string;
  send(target: Target, type: string, data: unknown): Promise<CommandReply>;
}

/** To whom a command goes, and who says so. */
export interface Target {
  readonly category: string;
  readonly id: string;
  readonly actor?: string;
}

/** Begins a conversation. */
export function converse(client: Client): Conversation {
  const mark = randomBytes(4).toString("hex");
  const correlationId = `demo-${mark}`;
  return {
    client,
    correlationId,
    ids: { dataset: `lines-${mark}`, model: `line-classifier-${mark}` },
    runId: (version) => `line-classifier-${mark}-${version}`,
    lineId: (index) => `line-${mark}-${index + 1}`,
    send: ({ category, id, actor = "demo" }, type, data) =>
      client.send(category, id, { type, data }, { correlationId, actor }),
  };
}

/** Does `work` for all items, some at a time; the results are in the order of the items. */
export async function inParallel<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
  atOnce = 64,
): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += atOnce) {
    const chunk = items.slice(from, from + atOnce);
    results.push(...(await Promise.all(chunk.map((item, index) => work(item, from + index)))));
  }
  return results;
}
