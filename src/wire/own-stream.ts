/** The small JetStream streams beside that of the events, which subscribers make when they first need them. */
import { JetStreamApiCodes, JetStreamApiError, type JetStreamManager } from "@nats-io/jetstream";

/** A file stream in which the last message of each subject counts. */
interface OwnStream {
  readonly name: string;
  readonly subjects: string;
  /** Of each subject; default: all, until they are purged. */
  readonly kept?: number;
}

/** Makes the stream. One that is there is left as it is: on a cluster, say, somebody may have given it replicas. */
export async function ensureOwnStream(
  manager: JetStreamManager,
  { name, subjects, kept = -1 }: OwnStream,
): Promise<void> {
  try {
    await manager.streams.info(name);
  } catch (error) {
    if (!isApiError(error, JetStreamApiCodes.StreamNotFound)) throw error;
    await manager.streams.add({
      name,
      subjects: [subjects],
      storage: "file",
      retention: "limits",
      max_msgs_per_subject: kept,
      allow_direct: true,
    });
  }
}

/** Whether JetStream refused with this code. */
export function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}
