/** Why a body does not fit its schema, as an error of the protocol: bounded, because the sender chooses how much is wrong. */
import type { z } from "zod";
import { Fault } from "../core/fault.ts";
import { issuesOf } from "../core/schema.ts";

const maxIssues = 100;
const maxPathLength = 256;

/** Lists the first hundred issues; `what` begins the sentence. */
export function schemaFault(code: "INVALID_COMMAND" | "INVALID_QUERY", what: string, error: z.ZodError): Fault {
  const issues = issuesOf(error)
    .slice(0, maxIssues)
    .map(({ path, message }) => ({ path: shortened(path), message }));
  const first = issues[0];
  const summary = first === undefined ? "" : `: ${first.path === "" ? "body" : first.path}: ${first.message}`;
  return new Fault(code, `${what} does not fit its schema${summary}`, { issues });
}

function shortened(path: string): string {
  return path.length > maxPathLength ? `${path.slice(0, maxPathLength)}…` : path;
}
