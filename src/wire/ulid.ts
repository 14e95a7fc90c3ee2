/** ULIDs: ids that sort by the time they were made. For event ids, and for the command ids of the client. */
import { randomFillSync } from "node:crypto";

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const randomLength = 16;

/** Makes ULIDs (github.com/ulid/spec): 48 bits of milliseconds, 80 random bits that count up within a millisecond. */
export function ulids(nowMs: () => number): () => string {
  let ms = -1;
  let time = "";
  let tail = new Uint8Array(randomLength);
  return () => {
    const current = nowMs();
    if (current > ms) {
      ms = current;
      time = encodeTime(ms);
      tail = randomTail();
    } else {
      increment(tail);
    }
    let id = time;
    for (let i = 0; i < randomLength; i++) id += alphabet[tail[i] as number];
    return id;
  };
}

function encodeTime(ms: number): string {
  let text = "";
  for (let rest = ms, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) text = alphabet[rest % 32] + text;
  return text;
}

function randomTail(): Uint8Array<ArrayBuffer> {
  const tail = randomBytes(randomLength).map((byte) => byte & 31);
  // Room to count up without a carry out of the last place.
  tail[0] = (tail[0] as number) & 15;
  return tail;
}

/** Asking the system for sixteen bytes costs as much as for a thousand. */
const pool = new Uint8Array(1_024);
let poolUsed = pool.length;

function randomBytes(count: number): Uint8Array<ArrayBuffer> {
  if (poolUsed + count > pool.length) {
    randomFillSync(pool);
    poolUsed = 0;
  }
  poolUsed += count;
  return pool.slice(poolUsed - count, poolUsed);
}

function increment(digits: Uint8Array): void {
  for (let i = digits.length - 1; i >= 0; i--) {
    const digit = digits[i] as number;
    if (digit < 31) {
      digits[i] = digit + 1;
      return;
    }
    digits[i] = 0;
  }
}
