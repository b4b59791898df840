import { expect, test } from 'bun:test';

import { keyspacePosition } from '../wire/content-key.ts';
import { keysSpread, regionsOf } from './keyspace-regions.ts';

test('regionsOf() is the power of two that leaves at most ten peers for each', () => {
  const sizes = [0, 1, 10, 11, 20, 21, 40, 41, 5000];
  expect(sizes.map((size) => regionsOf(size))).toEqual([1, 1, 1, 2, 2, 4, 4, 8, 512]);
});

test('keysSpread() has a key in each region', () => {
  const keys = keysSpread(32, Math.random);
  const regions = keys.map((key) => (keyspacePosition(key)[0] ?? 0) >> 3);
  expect(new Set(regions).size).toBe(32);
});
