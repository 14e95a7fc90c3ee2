/** Why a file is not imported, in a sentence. */
export class ImportRefused extends Error {
  override readonly name = "ImportRefused";
}
