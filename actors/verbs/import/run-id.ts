/** Names runs after files. */
import { createHash } from "node:crypto";
import { basename, extname } from "node:path";

const maxLength = 128;

/**
 * The id of the run that a file is imported as: its name without the last extension, `-` for what an id cannot have.
 * A name that is too long is cut, and told apart by a piece of its hash.
 */
export function runIdOf(file: string): string {
  const name = basename(file, extname(file));
  const id = name.replace(/[^A-Za-z0-9_~-]/g, "-");
  if (id.length <= maxLength) return id;
  const mark = createHash("sha256").update(name).digest("hex").slice(0, 16);
  return `${id.slice(0, maxLength - mark.length - 1)}~${mark}`;
}
