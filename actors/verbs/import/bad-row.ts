/** Why a row cannot be imported, in a sentence: thrown while it is read, told with its line, and the others go on. */
export class BadRow extends Error {
  override readonly name = "BadRow";
}
