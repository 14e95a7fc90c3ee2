/** `retrace import agent-sessions`: sessions of agents as SWE-agent writes them. */
import { importAgentSession } from "./agent-sessions-import.ts";
import type { FileImport } from "./files-verb.ts";

/** The kind, for the command line. */
export const agentSessions: FileImport<object> = {
  name: "agent-sessions",
  description: "sessions of SWE-agent: trajectories (.traj, .traj.json)",
  files: "the trajectories; each becomes one session",
  notes: `Each step becomes a decision, a tool call with its result, and a change of the working state where there is one. Whoever
was stopped before they submitted has failed. Texts of more than 32,768 characters go into the object store; an event
has their beginning and the reference.`,
  example: "retrace import agent-sessions runs/*.traj",
  addOptions: () => {},
  bring: importAgentSession,
};
