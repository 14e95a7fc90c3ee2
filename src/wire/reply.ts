/** Writing replies: a body, and for errors the headers of the NATS service convention beside it. */
import { headers, type Msg } from "@nats-io/nats-core";
import { Fault } from "../core/fault.ts";
import { type Codec, codecFor, json, msgpackType } from "./codec.ts";

/** The broker counts headers, too. */
const headerBytes = 1_024;

/** The codec of a request, and so of its reply; JSON where the request's own is unknown. */
function replyCodec(message: Msg): Codec {
  try {
    return codecFor(message.headers?.get("Content-Type")) ?? json;
  } catch {
    return json;
  }
}

/**
 * Answers with a value, or, when it is too large for a broker that takes `maxPayload` bytes, with PAYLOAD_TOO_LARGE.
 * A message without a reply subject wants no answer.
 */
export function respond(message: Msg, value: unknown, maxPayload: number): void {
  const codec = replyCodec(message);
  const bytes = codec.encode(value);
  if (bytes.length + headerBytes > maxPayload) {
    respondFault(message, tooLarge(bytes.length, maxPayload));
    return;
  }
  if (codec === json) {
    message.respond(bytes);
    return;
  }
  const reply = headers();
  reply.set("Content-Type", msgpackType);
  message.respond(bytes, { headers: reply });
}

function tooLarge(bytes: number, limit: number): Fault {
  const message = `the reply has ${bytes} bytes, and the broker takes ${limit}: raise its max_payload`;
  return new Fault("PAYLOAD_TOO_LARGE", message, { bytes, limit });
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
