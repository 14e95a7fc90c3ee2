/** What holds for every projection that ships, whatever happened. */
import fc from "fast-check";
import { builtInActors, loadActors } from "retrace";
import { describe, expect, test } from "vitest";
import { checkProjection } from "../../src/core/check-projection.ts";
import type { LoadedAggregate } from "../../src/runtime/loader.ts";
import { arbitraryCommand, type RawCommand } from "../actors/arbitrary-command.ts";
import { decideAll } from "../actors/decide-all.ts";
import { type Happened, project } from "./project.ts";

const { aggregates, projections } = await loadActors([builtInActors]);

/** The events that an aggregate decides on commands; what it refuses is left out. */
function happened({ aggregate }: LoadedAggregate, commands: readonly RawCommand[]): Happened[] {
  return decideAll(aggregate, commands).flatMap(({ events }) =>
    events.map(({ id, type, data }) => {
      const schemaVersion = aggregate.eventSchemas[type]?.version ?? 1;
      return { stream: `${aggregate.category}-x1`, type, data, fields: { id, schemaVersion } };
    }),
  );
}

describe.each([...projections])("%s", (_, projection) => {
  test("keeps the loader's rules, and says what it is for", () => {
    expect(checkProjection(projection)).toEqual([]);
    expect(projection.description).toMatch(/\S/);
  });

  const listened = [...aggregates].filter(([, { aggregate }]) => {
    return Object.keys(aggregate.eventSchemas).some((type) => Object.hasOwn(projection.on, type));
  });

  test.each(
    listened,
  )("takes every event of a %s, whatever it holds, and makes the same of it again", async (_, loaded) => {
    const commands = fc.array(arbitraryCommand(loaded.aggregate.schemas), { maxLength: 40, size: "max" });
    await fc.assert(
      fc.asyncProperty(commands, async (sequence) => {
        const history = happened(loaded, sequence);
        const rows = await project(projection, history);
        expect(await project(projection, history)).toEqual(rows);
      }),
      { seed: 1, numRuns: 15 },
    );
  });
});
