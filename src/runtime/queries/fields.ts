/** Fields that several queries share. */
import { z } from "zod";
import { sagaCategory } from "../../core/saga-events.ts";
import { isStreamId } from "../../core/stream.ts";

/** Any text: one that is no category is as unknown as one that nobody has defined. */
export const category = z.string().max(256);
export const id = z.string().refine(isStreamId, "an id is 1 to 128 of A-Z a-z 0-9 _ - ~");
/** Of a stream, checked with its category by `isAddress`: that of a saga is `<name>-<id>`, and may be longer. */
export const idOfStream = z.string().max(256);

/** Whether the id can be one of its category. */
export function isAddress({ category: of, id: one }: { readonly category: string; readonly id: string }): boolean {
  return of === sagaCategory ? /^[A-Za-z0-9_~-]+$/.test(one) : isStreamId(one);
}

/** What is wrong where it is not. */
export const notAddress = { path: ["id"], message: "an id is 1 to 128 of A-Z a-z 0-9 _ - ~" };
export const position = z.int().min(0);
export const version = z.int().min(0);
export const limit = z.int().min(1).max(1_000).default(100);

/** ISO 8601 with a zone, normalised to UTC with milliseconds. */
export const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text).toISOString());
