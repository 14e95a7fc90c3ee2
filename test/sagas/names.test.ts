/** Streams of sagas are theirs alone. */
import { defineAggregate } from "retrace";
import { expect, test } from "vitest";
import { setup } from "xstate";
import { takeActors } from "../../src/runtime/loader.ts";
import { buying, order, stock } from "./shop.ts";

test.each(["saga", "saga-buying"])("a category %s, whose streams could be those of a saga, is refused", (category) => {
  const machine = setup({}).createMachine({ id: "taken", context: {} });
  const taken = defineAggregate({ category, schemas: { commands: {}, events: {} }, machine, decide: {} });
  expect(() => takeActors([order, stock, buying, taken])).toThrow(`category "${category}" is reserved`);
});
