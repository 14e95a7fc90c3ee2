/** Which aggregate an event is of. */
import type { RecordedEvent } from "retrace";

/** The id within its category. */
export function idOf({ stream, category }: Pick<RecordedEvent, "stream" | "category">): string {
  return stream.slice(category.length + 1);
}
