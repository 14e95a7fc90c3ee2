/** Names streams after what is in a file, so that the same item has the same stream whenever it comes. */
import { createHash } from "node:crypto";
import { runIdOf } from "./run-id.ts";

const maxLength = 128;
const markLength = 8;
const unfit = /[^A-Za-z0-9_-]/g;

/** What the ids of a file's streams begin with: its name. A file of labels and that of their gold share it. */
export function dataSetOf(file: string): string {
  return runIdOf(file.replace(/\.(?:labels|gold)(?=\.[^./]*$)/, ""));
}

/**
 * The id of one thing of a data set: `bluebirds~11573`. Names that an id cannot hold, or not in full, are changed, and
 * told apart from those they would now be mistaken for by a piece of their hash: `J1~-0005~c8bbb7e5`.
 */
export function streamIdOf(dataSet: string, ...names: readonly string[]): string {
  const fit = names.map((name) => name.replace(unfit, "-"));
  const id = [dataSet, ...fit].join("~");
  if (id.length <= maxLength && fit.every((name, index) => name === names[index])) return id;
  const mark = createHash("sha256").update(JSON.stringify(names)).digest("hex").slice(0, markLength);
  return `${id.slice(0, maxLength - markLength - 1)}~${mark}`;
}
