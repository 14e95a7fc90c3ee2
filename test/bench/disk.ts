/** Part (e): what events occupy on disk, in the store and in JetStream. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Figure } from "./figures.ts";

const blockBytes = 512;

/** Bytes allocated on disk by a file, or by all files under a folder; 0 when it is not there. */
export function allocatedBytes(path: string): number {
  if (!existsSync(path)) return 0;
  const { blocks } = statSync(path);
  const inner = statSync(path).isDirectory() ? readdirSync(path).map((name) => allocatedBytes(join(path, name))) : [];
  return inner.reduce((sum, bytes) => sum + bytes, blocks * blockBytes);
}

/** Bytes per event of a runtime's data folder. */
export function diskFigures(of: {
  readonly id: string;
  readonly text: string;
  readonly dataDir: string;
  readonly events: number;
}): Figure[] {
  const { id, text, dataDir, events } = of;
  const perEvent = (what: string): number => allocatedBytes(join(dataDir, what)) / events;
  return [
    { id: `${id}.events`, part: "e", text: `${text}: events`, value: events, unit: "" },
    { id: `${id}.lmdb`, part: "e", text: `${text}: LMDB per event`, value: perEvent("log"), unit: "bytes" },
    {
      id: `${id}.jetstream`,
      part: "e",
      text: `${text}: JetStream per event`,
      value: perEvent("jetstream"),
      unit: "bytes",
    },
  ];
}
