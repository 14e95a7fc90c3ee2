/** The names under which a dataset is registered, checked before the work begins. */
import { key, streamId } from "../../../schemas/fields.ts";
import { Refused } from "./refused.ts";

/** @throws Refused INVALID_OPTION. */
export function assertRegistration({
  id,
  version,
}: {
  readonly id: string;
  readonly version?: string | undefined;
}): void {
  const wrong = streamId.safeParse(id).error?.issues[0]?.message;
  if (wrong !== undefined) throw new Refused("INVALID_OPTION", `the id of a dataset is ${wrong}`);
  if (version === undefined || key.safeParse(version).success) return;
  throw new Refused("INVALID_OPTION", "--version takes 1 to 128 characters, none of them a control character");
}
