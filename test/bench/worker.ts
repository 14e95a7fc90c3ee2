/** The entry of a process that runs one task, sends its result and ends: see `inOwnProcess`. */
import { buildStore } from "./large-store.ts";
import { longStoreEvents, longStreamFigures, longStreamPlace } from "./long-stream.ts";
import { buildFigures } from "./projections.ts";
import { replayFigures } from "./replay.ts";
import { openingMs } from "./start.ts";

const tasks = {
  "build wide": (path: string, events: number, ids: readonly string[]) =>
    buildStore(path, events, (index) => ({
      id: ids[index % ids.length] as string,
      version: Math.floor(index / ids.length) + 1,
    })),
  "build long": (path: string, options: { readonly longEvents: number; readonly pairs: number }) =>
    buildStore(path, longStoreEvents(options), (index) => longStreamPlace(index, options.longEvents)),
  open: openingMs,
  replay: replayFigures,
  "long stream": longStreamFigures,
  projections: buildFigures,
};

export type TaskName = keyof typeof tasks;
export type Task<Name extends TaskName> = (typeof tasks)[Name];
export type TaskResult<Name extends TaskName> = Awaited<ReturnType<Task<Name>>>;

process.once("message", async ({ name, options }: { name: TaskName; options: never[] }) => {
  const result = await (tasks[name] as (...options: never[]) => Promise<unknown>)(...options);
  process.send?.({ result }, () => process.disconnect());
});
