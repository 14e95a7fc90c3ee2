/** manifest.json: what a dataset was built of and what it came to, for people and for those who register or verify it. */
import { z } from "zod";
import { datasetSpec } from "../../../schemas/dataset-spec.ts";
import { count } from "../../../schemas/fields.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** The manifest of a dataset. Its fields are written in this order. */
export const manifest = z.object({
  position: count,
  spec: datasetSpec,
  /** Which rows the code makes of which events: `codeFingerprint`. */
  code: z.string(),
  rowCount: count,
  /** Of data.jsonl. */
  sha256,
  /** Of provenance.tsv. */
  provenanceSha256: sha256,
  shapes: z.object({ texts: count, messages: count }).optional(),
  leftOut: z.record(z.string(), count),
});

/** A manifest, read. */
export type Manifest = z.output<typeof manifest>;

/** The names of the files of a dataset. */
export const fileNames = { data: "data.jsonl", manifest: "manifest.json", provenance: "provenance.tsv" } as const;

/** As text: the same manifest, the same bytes. */
export function manifestText(value: Manifest): string {
  return `${JSON.stringify(manifest.parse(value), null, 2)}\n`;
}
