/** Actors with any schemas: one aggregate whose chart takes every event, and whose commands do nothing. */
import { defineAggregate, type LoadedActors, type Schemas } from "retrace";
import { setup } from "xstate";
import { takeActors } from "../../../src/runtime/loader.ts";

/** The aggregate `light`, loaded. */
export function actorsWith(schemas: Schemas): LoadedActors {
  const on = Object.fromEntries(Object.keys(schemas.events).map((type) => [type, "open"]));
  const machine = setup({}).createMachine({ id: "light", initial: "open", states: { open: { on } } });
  const decide = Object.fromEntries(Object.keys(schemas.commands).map((type) => [type, () => []]));
  return takeActors([defineAggregate({ category: "light", schemas, machine, decide })]);
}
