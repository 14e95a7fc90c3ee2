/** Verbs about projections: `rebuild`, `cancel-build`, `switch`, `drop-standby`, `retry-parked`, `skip-parked`. */
import { z } from "zod";
import type { EventStore } from "../../core/event-store.ts";
import type { Projections } from "../projections/projections.ts";
import { position } from "../queries/fields.ts";
import { unknownProjection } from "../queries/projection.ts";
import { breathe, type Query, query } from "../queries/query.ts";

const name = z.string().min(1).max(64);
const named = z.strictObject({ name });
const parked = z.strictObject({ name, positions: z.array(position.min(1)).min(1).max(1_000) });

/** What the verbs are asked with. */
export const bodies = {
  rebuild: z.strictObject({ name, hold: z.boolean().default(false) }),
  "cancel-build": named,
  switch: named,
  "drop-standby": named,
  "retry-parked": parked,
  "skip-parked": parked,
};

/** What the verbs work with. */
export interface ProjectionVerbs {
  readonly store: EventStore;
  readonly projections: Projections;
}

/** Makes the verbs. A name that is not defined is NOT_FOUND, with those that are. */
export function projectionVerbs({ store, projections }: ProjectionVerbs): Query[] {
  const verb = <Schema extends z.ZodObject<{ name: typeof name }>>(
    title: string,
    schema: Schema,
    answer: (body: z.output<Schema>) => Promise<unknown>,
  ): Query => {
    const checked = (body: z.output<Schema>): Promise<unknown> => {
      const { name: asked } = body as { readonly name: string };
      if (!projections.names.includes(asked)) throw unknownProjection(asked, projections.names, "NOT_FOUND");
      return answer(body);
    };
    return query(title, schema, checked, { invalid: "INVALID_COMMAND" });
  };
  return [
    verb("rebuild", bodies.rebuild, async ({ name, hold }) => {
      const { generation, version } = await projections.beginBuild(name, hold);
      return { name, version, generation, position: 0, of: store.position() };
    }),
    verb("cancel-build", named, async ({ name }) => {
      const { version, position } = await projections.cancelBuild(name);
      return { name, version, position };
    }),
    verb("switch", named, async ({ name }) => ({ name, ...(await projections.switchToStandby(name)) })),
    verb("drop-standby", named, async ({ name }) => ({ name, version: await projections.dropStandby(name) })),
    verb("retry-parked", parked, async ({ name, positions }) => {
      const outcomes: unknown[] = [];
      for (const position of positions) {
        outcomes.push(await projections.retryParked(name, position));
        await breathe();
      }
      return { name, outcomes };
    }),
    verb("skip-parked", parked, async ({ name, positions }) => {
      for (const position of positions) await projections.skipParked(name, position);
      return { name, positions };
    }),
  ];
}
