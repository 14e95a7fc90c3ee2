/**
 * Many commands in one request: what a message costs is paid once for all of them. Each is checked, decided and
 * answered as if it had come alone.
 */
import { z } from "zod";
import { isStreamId } from "../core/stream.ts";
import {
  type CommandRequest,
  checkCommand,
  decodeAnyBody,
  type RawRequest,
  type RequestContext,
  type RequestHeaders,
} from "./command-request.ts";
import { schemaFault } from "./schema-fault.ts";

/** Commands in one bulk request, at most. */
export const maxBulkCommands = 1_000;

const bulk = z.strictObject({ commands: z.array(z.unknown()).min(1).max(maxBulkCommands) });

/** What a subject, headers and a body of its own would say. */
const entry = z.strictObject({
  category: z.string(),
  id: z.string().refine(isStreamId, "1 to 128 of A-Z a-z 0-9 _ - ~"),
  type: z.string(),
  data: z.unknown().default({}),
  headers: z.record(z.string(), z.string()).optional(),
});

/** The entries, not yet checked. @throws Fault INVALID_COMMAND when there is no list of them. */
export function bulkEntries(raw: RawRequest): readonly unknown[] {
  const parsed = bulk.safeParse(decodeAnyBody(raw, "INVALID_COMMAND"));
  if (!parsed.success) throw schemaFault("INVALID_COMMAND", "bulk", parsed.error);
  return parsed.data.commands;
}

/** Checks one entry of a request that has so many bytes. @throws Fault with a 4xx code. */
export function parseBulkEntry(sent: unknown, bytes: number, context: RequestContext): CommandRequest {
  const parsed = entry.safeParse(sent);
  if (!parsed.success) throw schemaFault("INVALID_COMMAND", "a command in bulk", parsed.error);
  const { category, id, type, data, headers } = parsed.data;
  const address = { category, id, type };
  const readHeaders = () => headers && readerOf(headers);
  return checkCommand({ address, body: () => data, headers: readHeaders, bytes }, context);
}

function readerOf(headers: Readonly<Record<string, string>>): RequestHeaders {
  return { has: (name) => Object.hasOwn(headers, name), get: (name) => headers[name] ?? "" };
}
