/** Patterns without Unicode categories take and refuse what those with them do. */
import fc from "fast-check";
import { builtInActors, loadActors } from "retrace";
import { expect, test } from "vitest";
import { contractsOf } from "../../../src/runtime/contracts/contracts.ts";
import { portablePattern } from "../../../src/runtime/contracts/portable-pattern.ts";

test.each([
  ["^(?!__proto__$)\\P{Cc}+$", "^(?!__proto__$)[^\\x00-\\x1f\\x7f-\\x9f]+$"],
  ["^(?:[^\\p{Cc}\\p{Cs}]|[\\t\\n])+$", "^(?:[^\\x00-\\x1f\\x7f-\\x9f]|[\\t\\n])+$"],
  ["^\\[\\p{Cc}\\]$", "^\\[[\\x00-\\x1f\\x7f-\\x9f]\\]$"],
])("%s", (pattern, portable) => {
  expect(portablePattern(pattern)).toBe(portable);

  const character = fc.oneof(
    fc.integer({ min: 0, max: 0x2ff }).map((code) => String.fromCodePoint(code)),
    fc.constantFrom("\t", "\n", "[", "]", "p", "\u0085", "\u{1f600}"),
  );
  fc.assert(
    fc.property(fc.array(character, { maxLength: 4 }), (characters) => {
      const text = characters.join("");
      expect(new RegExp(portable, "u").test(text)).toBe(new RegExp(pattern, "u").test(text));
      expect(new RegExp(portable).test(text)).toBe(new RegExp(pattern, "u").test(text));
    }),
    { numRuns: 300 },
  );
});

test.each(["\\p{L}", "[\\P{Cc}]", "\\\\p{Cc}", "^a$", "\\P{Cs}"])("leaves %s as it is", (pattern) => {
  expect(portablePattern(pattern)).toBe(pattern);
});

test("no contract of the actors that ship has a pattern with a category", async () => {
  expect(JSON.stringify(contractsOf(await loadActors([builtInActors])))).not.toMatch(/\\[pP]\{/);
});
