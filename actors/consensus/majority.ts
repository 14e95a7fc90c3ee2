/** The method that takes all voters for equally good. */
import { byItem, type Fit, sharesOf } from "./fit.ts";
import { tableOf, type Vote } from "./vote-table.ts";

/** The share of each label in the votes on each item. */
export function fitMajority(votes: Iterable<Vote>): Fit {
  const table = tableOf(votes);
  return { posteriors: byItem(table, sharesOf(table)), parameters: { method: "majority" } };
}
