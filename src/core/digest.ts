/** A digest that tells two texts apart by accident only: fast, not secret, not for proof. */

/** 53 bits of two 32-bit multiply-and-shift hashes that run side by side. */
export function digest(text: string): number {
  let a = 0x9e3779b9;
  let b = 0x85ebca6b;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x2c1b3c6d);
    b = Math.imul(b ^ code, 0x297a2d39);
  }
  a = Math.imul(a ^ (a >>> 15), 0x735a2d97) ^ b;
  b = Math.imul(b ^ (b >>> 13), 0xcaf649a9) ^ a;
  return (b >>> 11) * 0x1_0000_0000 + (a >>> 0);
}
