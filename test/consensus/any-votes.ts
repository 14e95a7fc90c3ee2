/** Votes as they might come: few items and voters, so that they meet, and names that every object has. */
import fc from "fast-check";

const names = (...others: string[]) => fc.constantFrom("constructor", "1", "0", ...others);

/** Voters may vote on an item again. */
export const anyVotes = fc.array(
  fc.record({ item: names("i", "j"), voter: names("ada", "bob", "eve"), label: names("cat", "dog") }),
  { minLength: 1, maxLength: 40 },
);
