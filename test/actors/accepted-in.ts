/** Which of some commands an aggregate accepts after a history: the table of a chart, as the tests write it. */
import type { Aggregate, EventOf, Schemas } from "retrace";
import { type CommandOf, given } from "retrace/testing";

/** The types of the commands that are accepted, in the order given. A success without an event is accepted too. */
export function acceptedIn<S extends Schemas>(
  aggregate: Aggregate & { readonly schemas: S },
  history: readonly EventOf<S>[],
  commands: readonly CommandOf<S>[],
): string[] {
  const { when } = given(aggregate, history);
  return commands.filter((command) => !isRefused(() => when(command).thenNotAllowed())).map(({ type }) => type);
}

function isRefused(assertRefused: () => void): boolean {
  try {
    assertRefused();
    return true;
  } catch {
    return false;
  }
}
