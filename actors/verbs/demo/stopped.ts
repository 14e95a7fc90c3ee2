/** Why the demonstration cannot go on, in a sentence for the one who watches it. */
export class DemonstrationStopped extends Error {
  override readonly name = "DemonstrationStopped";
}
