/** Sums that no order of adding changes, and that subtracting undoes. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ExactSum, nearest, plus } from "../../actors/exact-sum.ts";

const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 });
const sumOf = (numbers: readonly number[]): ExactSum => numbers.reduce<ExactSum>(plus, []);

/** Every number is a whole multiple of 2 ** -1074. */
function exact(numbers: readonly number[]): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  return numbers.reduce((sum, one) => {
    bits.setFloat64(0, one);
    const word = bits.getBigUint64(0);
    const exponent = (word >> 52n) & 0x7ffn;
    const fraction = word & 0xfffffffffffffn;
    const size = exponent === 0n ? fraction : (fraction | 0x10000000000000n) << (exponent - 1n);
    return sum + (word >> 63n === 1n ? -size : size);
  }, 0n);
}

describe("an exact sum", () => {
  test("is what adding in whole numbers gives, in one form only", () => {
    fc.assert(
      fc.property(
        fc.array(number, { maxLength: 30 }),
        fc.array(fc.nat(), { minLength: 30, maxLength: 30 }),
        (all, by) => {
          const sum = sumOf(all);
          assert.equal(exact(sum), exact(all));
          const shuffled = all.map((one, i) => [one, by[i] as number] as const).sort((a, b) => a[1] - b[1]);
          assert.deepEqual(sumOf(shuffled.map(([one]) => one)), sum);
        },
      ),
    );
  });

  test("begins with the number nearest to it", () => {
    fc.assert(
      fc.property(fc.array(number, { maxLength: 20 }), (all) => {
        const sum = sumOf(all);
        const value = nearest(sum);
        const distance = (to: number) => {
          const difference = exact(sum) - exact([to]);
          return difference < 0n ? -difference : difference;
        };
        const step = Math.max(Number.MIN_VALUE, Math.abs(value) * 2 ** -53);
        assert(distance(value) <= distance(value + step) && distance(value) <= distance(value - step));
      }),
    );
    expect(nearest(sumOf([1, 2 ** -53, 2 ** -106]))).toBe(1 + 2 ** -52);
    expect(nearest(sumOf([1, 2 ** -53]))).toBe(1);
    expect(nearest(sumOf([0.1, 0.2, 0.3, -0.6]))).not.toBe(0);
  });

  test("is nothing again when everything is subtracted, in any order", () => {
    fc.assert(
      fc.property(fc.array(number, { maxLength: 30 }), (all) => {
        assert.deepEqual(
          all.reduce((sum, one) => plus(sum, -one), sumOf(all)),
          [],
        );
      }),
    );
  });

  test("beyond what a number can hold is refused", () => {
    expect(() => sumOf([1.7e308, 1.7e308])).toThrow(RangeError);
  });
});
