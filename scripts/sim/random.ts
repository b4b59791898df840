/** Chance that is the same for the same seed. */
export interface Random {
  /** A number from 0 up to, not including, 1. */
  next(): number;
  /** A whole number from 0 up to, not including, the bound. */
  below(bound: number): number;
  /** One of the items; RangeError when there are none. */
  pick<T>(items: readonly T[]): T;
  /** Up to `count` of the items, none twice. */
  sample<T>(items: readonly T[], count: number): T[];
  bytes(length: number): Uint8Array;
  /** Another source, of its own: what is drawn from one does not change what the other gives. */
  fork(label: number): Random;
}

/** Makes chance out of a seed (any whole number): Marsaglia's xorshift with 128 bits of state. */
export function createRandom(seed: number): Random {
  let [a, b, c, d] = [mix(seed), mix(seed + 1), mix(seed + 2), mix(seed + 3)];
  const next = () => {
    const mixed = a ^ (a << 11);
    [a, b, c] = [b, c, d];
    d = d ^ (d >>> 19) ^ mixed ^ (mixed >>> 8);
    return (d >>> 0) / 2 ** 32;
  };
  const random: Random = {
    next,
    below: (bound) => Math.floor(next() * bound),
    pick(items) {
      const item = items[random.below(items.length)];
      if (item === undefined) throw new RangeError('Cannot pick one of nothing');
      return item;
    },
    sample(items, count) {
      const rest = [...items];
      for (let place = 0; place < Math.min(count, rest.length); place++) {
        const other = place + random.below(rest.length - place);
        const swapped = rest[other];
        const first = rest[place];
        if (swapped === undefined || first === undefined) break;
        rest[place] = swapped;
        rest[other] = first;
      }
      return rest.slice(0, count);
    },
    bytes: (length) => Uint8Array.from({ length }, () => random.below(256)),
    fork: (label) => createRandom(mix(seed) ^ mix(label + 0x51ed)),
  };
  return random;
}

/** Spreads a number over 32 bits: the finalizer of MurmurHash3. Never 0. */
export function mix(value: number): number {
  let bits = Math.imul(value ^ 0x9e37_79b9, 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return (bits ^ (bits >>> 16)) >>> 0 || 1;
}
