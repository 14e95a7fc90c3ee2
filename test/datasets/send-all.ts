/** Signals on their way into a runtime, in few requests. */
import type { Client, CommandReply } from "retrace";

type Addressed = readonly [category: string, id: string, type: string, data: unknown];

/** Sends them, and then takes back the signals of these commands, by their numbers from 0; returns where the log ends. */
export async function sendAll(
  client: Client,
  commands: readonly Addressed[],
  retracted: readonly number[],
): Promise<number> {
  const replies: CommandReply[] = [];
  const addressed = commands.map(([category, id, type, data]) => ({ category, id, command: { type, data } }));
  for await (const { reply, fault } of client.sendMany(addressed)) {
    if (fault !== undefined) throw fault;
    replies.push(reply);
  }
  for (const number of retracted) {
    const eventId = replies[number]?.events[0]?.id;
    await client.send("feedback", commands[number]?.[1] as string, { type: "RetractFeedback", data: { eventId } });
  }
  return (await client.query<{ readonly position: number }>("health")).position;
}
