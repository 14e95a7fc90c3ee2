/** Writing replies: a body, and for errors the headers of the NATS service convention beside it. */
import { headers, type Msg } from "@nats-io/nats-core";
import type { Fault } from "../core/fault.ts";
import { type Codec, codecFor, json, msgpackType } from "./codec.ts";

/** The codec of a request, and so of its reply; JSON where the request's own is unknown. */
export function replyCodec(message: Msg): Codec {
  return codecFor(message.headers?.get("Content-Type")) ?? json;
}

/** Answers with a value. A message without a reply subject wants no answer. */
export function respond(message: Msg, value: unknown, codec: Codec = replyCodec(message)): void {
  if (codec === json) {
    message.respond(codec.encode(value));
    return;
  }
  const reply = headers();
  reply.set("Content-Type", msgpackType);
  message.respond(codec.encode(value), { headers: reply });
}

/** Answers with an error: number and sentence in the headers, everything in the body. */
export function respondFault(message: Msg, fault: Fault): void {
  const codec = replyCodec(message);
  const reply = headers();
  reply.set("Nats-Service-Error-Code", String(fault.number));
  reply.set("Nats-Service-Error", fault.message.replace(/\s+/g, " ").slice(0, 512));
  if (codec !== json) reply.set("Content-Type", msgpackType);
  message.respond(codec.encode(fault.toBody()), { headers: reply });
}
