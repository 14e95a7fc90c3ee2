/** Makes a built dataset a version of a `dataset` aggregate. */
import { type Client, Fault } from "retrace";
import type { Manifest } from "./manifest.ts";
import { Refused } from "./refused.ts";

/** Under which names. */
export interface Registration {
  /** Of the aggregate. */
  readonly id: string;
  /** Default: the position and a piece of the hash. */
  readonly version?: string | undefined;
}

/** What came of it. */
export interface Registered {
  readonly id: string;
  readonly version: string;
  /** False when this very dataset has that version already. */
  readonly isNew: boolean;
}

/**
 * Adds the version, once: the command id follows from what is registered, and after 30 days the version itself tells.
 * @throws Refused VERSION_EXISTS when another dataset has that version; Fault when the aggregate takes none now.
 */
export async function registerDataset(
  client: Client,
  { position, spec, rowCount, sha256 }: Manifest,
  { id, version = `${position}-${sha256.slice(0, 12)}` }: Registration,
): Promise<Registered> {
  const data = { version, builtFrom: { position, spec, rowCount, sha256 } };
  const commandId = `built/${version}/${position}/${sha256}`;
  try {
    const reply = await client.send("dataset", id, { type: "VersionDataset", data }, { commandId });
    return { id, version, isNew: reply.duplicate !== true };
  } catch (error) {
    if (!(error instanceof Fault) || !isThere(error)) throw error;
    const known = await contentHashOf(client, id, version);
    if (known === sha256) return { id, version, isNew: false };
    throw new Refused("VERSION_EXISTS", `dataset ${id} has a version ${version} of other rows; name another version`);
  }
}

/** Another spec may have given the same rows. */
function isThere({ code, details }: Fault): boolean {
  return details.reason === "VERSION_EXISTS" || code === "COMMAND_ID_REUSED";
}

async function contentHashOf(client: Client, id: string, version: string): Promise<string | undefined> {
  const { state } = await client.state("dataset", id);
  const { versions } = state.context as {
    readonly versions: Readonly<Record<string, { readonly contentHash?: string }>>;
  };
  return versions[version]?.contentHash;
}
