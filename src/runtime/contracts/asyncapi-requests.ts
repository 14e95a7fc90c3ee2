/** Queries, verbs and many commands at once, in the AsyncAPI document. */
import { adminSubject, bulkSubject, querySubject } from "../../wire/subjects.ts";
import { addRequest, type Parts, to } from "./asyncapi-parts.ts";
import { portableSchema } from "./contracts.ts";
import { draft7 } from "./draft7.ts";
import { queries, type RequestContract, verbs } from "./requests.ts";
import { bulkBody, bulkReply, requestHeaders } from "./wire-schemas.ts";

/** Adds the queries and the verbs. */
export function addRequests(parts: Parts, prefix: string): void {
  parts.schemas.requestHeaders = requestHeaders;
  for (const [name, request] of Object.entries(queries)) add(parts, request, ["query", querySubject(prefix, name)]);
  for (const [name, request] of Object.entries(verbs)) add(parts, request, ["admin", adminSubject(prefix, name)]);
}

function add(
  parts: Parts,
  { summary, body, reply }: RequestContract,
  [kind, address]: readonly [kind: "query" | "admin", address: string],
): void {
  const title = address.slice(address.lastIndexOf(".") + 1);
  const name = `${kind}.${title}`;
  const replyName = `${name}.reply`;
  parts.schemas[name] = draft7(portableSchema(body), name);
  parts.schemas[replyName] = draft7(portableSchema(reply), replyName);
  addReply(parts, replyName, { name: title, summary: `What ${title} answers.`, payload: to("schemas", replyName) });
  const message = { summary, headers: to("schemas", "requestHeaders"), payload: to("schemas", name) };
  addRequest(parts, { name, address, title, message, reply: replyName, tag: kind });
}

/** Adds the request that carries many commands. */
export function addBulk(parts: Parts, prefix: string): void {
  parts.schemas.bulk = bulkBody(to("schemas", "commandHeaders"));
  parts.schemas["bulk.reply"] = bulkReply(to("schemas", "commandReply"), to("schemas", "errorBody"));
  addReply(parts, "bulk.reply", {
    name: "bulk",
    summary: "For each command in order, what it would have been answered alone.",
    payload: to("schemas", "bulk.reply"),
  });
  addRequest(parts, {
    name: "bulk",
    address: bulkSubject(prefix),
    title: "bulk",
    message: {
      summary: "Many commands, decided one after another in their order.",
      headers: to("schemas", "requestHeaders"),
      payload: to("schemas", "bulk"),
    },
    reply: "bulk.reply",
    tag: "bulk",
  });
}

function addReply({ messages, channels }: Parts, name: string, message: object): void {
  messages[name] = message;
  const replies = channels.replies as { readonly messages: Record<string, unknown> };
  replies.messages[name] = to("messages", name);
}
