/** Where the demonstration keeps what is too large for an event: files named by their hash. */
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Where a thing lies, and what proves that it is still the same. */
export interface Reference {
  readonly ref: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly mediaType: string;
}

/** Writes `content` into `folder`, once however often it is kept. */
export async function keep(folder: string, content: string, mediaType: string): Promise<Reference> {
  const sha256 = createHash("sha256").update(content).digest("hex");
  const path = join(folder, sha256);
  await mkdir(folder, { recursive: true });
  await writeFile(path, content);
  return { ref: pathToFileURL(path).href, sha256, bytes: Buffer.byteLength(content), mediaType };
}
