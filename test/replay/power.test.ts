/** The powers that samples are drawn by: as good as the engine's, and the same everywhere. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { power } from "../../actors/replay/power.ts";

test("is the power, to 12 digits", () => {
  const base = fc.double({ min: 1e-300, max: 1e300, noNaN: true });
  const exponent = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(base, exponent, (b, e) => {
      expect(Math.abs(power(b, e) / b ** e - 1)).toBeLessThan(1e-12);
    }),
    { numRuns: 2_000 },
  );
});

test("is exact where one would look", () => {
  expect([power(0, 0), power(0, 0.5), power(7, 0), power(7, 1), power(1, 0.3)]).toEqual([1, 0, 1, 7, 1]);
});

test("has these bits, here as on any machine", () => {
  const bits = (number: number): string => {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, number);
    return view.getBigUint64(0).toString(16);
  };
  const found = [power(0.7, 0.6), power(3, 0.4), power(1e-9, 0.25), power(0.5, 1 / 1000)].map(bits);
  expect(found).toEqual(["3fe9d5c3df24fb63", "3ff8d45c06468a87", "3f77089380241ede", "3feffa52de61c11f"]);
});
