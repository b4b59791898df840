import { describe, expect, test } from 'bun:test';

import { contentMultihash, keyspacePosition } from '../wire/content-key.ts';
import { createProvidedKeys, KEYS_PER_SWEEP_PART, MAX_SWEEP_PARTS } from './provided-keys.ts';

const INTERVAL_MS = 15_000;

/** Keys at a time that the test sets, with the records that they keep at this node. */
function start(startShare = 0.5) {
  const time = { nowMs: 0 };
  const own: string[] = [];
  const keys = createProvidedKeys(
    {
      network: {
        keepOwn: (multihash) => void own.push(multihash.toHex()),
        dropOwn: (multihash) => void own.splice(own.indexOf(multihash.toHex()), 1),
      },
      clock: { nowMs: () => time.nowMs },
      startShare,
    },
    { intervalMs: INTERVAL_MS },
  );
  return { keys, time, own };
}

const many = (count: number) => Array.from({ length: count }, (_, index) => `key ${index}`);

describe('createProvidedKeys()', () => {
  test('keeps the records of the keys at this node until they are removed', () => {
    const { keys, own } = start();
    keys.add(['a', 'b']);
    const multihash = contentMultihash('a');
    expect(keys.get('a')).toMatchObject({ multihash, position: keyspacePosition(multihash) });
    expect(own).toEqual([contentMultihash('a').toHex(), contentMultihash('b').toHex()]);
    keys.remove(['a', 'never added']);
    expect([[...keys.names()], keys.size, own]).toEqual([['b'], 1, [contentMultihash('b').toHex()]]);
  });

  test('makes the first keys due after the share of the interval, and keys that come later after a whole', () => {
    const { keys, time } = start(0.2);
    expect(keys.earliestDueMs()).toBe(Infinity);
    keys.add(['a']);
    time.nowMs = 1000;
    keys.add(['a', 'b']);
    expect([keys.get('a')?.dueMs, keys.get('b')?.dueMs]).toEqual([3000, 16_000]);
    expect(keys.earliestDueMs()).toBe(3000);
  });

  test('takes few keys all at once, renews them and makes them due an interval later', () => {
    const { keys, time, own } = start(0.2);
    keys.add(many(KEYS_PER_SWEEP_PART));
    time.nowMs = 2500;
    expect(keys.takeDue()).toHaveLength(KEYS_PER_SWEEP_PART);
    expect([keys.earliestDueMs(), own.length]).toEqual([2500 + INTERVAL_MS, 2 * KEYS_PER_SWEEP_PART]);
  });

  test('spreads many keys over the interval by their position', () => {
    const { keys, time } = start();
    const count = MAX_SWEEP_PARTS * KEYS_PER_SWEEP_PART;
    keys.add(many(count));
    let taken = 0;
    for (; time.nowMs < INTERVAL_MS; time.nowMs += INTERVAL_MS / MAX_SWEEP_PARTS) {
      const due = keys.takeDue();
      expect(due.length).toBeLessThan(2 * KEYS_PER_SWEEP_PART);
      taken += due.length;
    }
    expect(taken).toBe(count);
  });
});
