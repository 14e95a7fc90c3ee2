/** Sampling that chooses the same inferences every time and everywhere: by a hash of the id, not by chance. */

const encoder = new TextEncoder();

/**
 * Where an id lies between 0 and 1 (exclusive): a sample of share x is all ids below x, so a larger sample holds the
 * smaller one. It is MurmurHash3 (x86, 32 bits, seed 0) of the salt and the id, in UTF-8, over 2^32: other programs
 * find the same.
 */
export function fractionOf(id: string, salt = ""): number {
  return murmur3(encoder.encode(salt + id)) / 0x1_0000_0000;
}

/** Austin Appleby's MurmurHash3_x86_32, seed 0. */
export function murmur3(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tail = bytes.length - (bytes.length % 4);
  let hash = 0;
  for (let i = 0; i < tail; i += 4) {
    hash ^= scramble(view.getUint32(i, true));
    hash = Math.imul(rotate(hash, 13), 5) + 0xe6546b64;
  }
  let rest = 0;
  for (let i = bytes.length - 1; i >= tail; i--) rest = (rest << 8) | view.getUint8(i);
  hash ^= scramble(rest) ^ bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(block: number): number {
  return Math.imul(rotate(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
