import { expect, test } from 'bun:test';

import { lruSet } from './lru-set.ts';

test('lruSet() forgets who was not set for the longest time', () => {
  const entries = new Map<string, number>();
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
    ['a', 3],
    ['c', 4],
  ] as const) {
    lruSet(entries, key, value, 2);
  }
  expect([...entries]).toEqual([
    ['a', 3],
    ['c', 4],
  ]);
});
