import { expect, test } from 'bun:test';

import { countDown, countUp } from './key-counts.ts';

test('countUp() and countDown() keep only keys of which there are some', () => {
  const counts = new Map<string, number>();
  expect([countUp(counts, 'a'), countUp(counts, 'a'), countUp(counts, 'b')]).toEqual([1, 2, 1]);
  countDown(counts, 'a');
  countDown(counts, 'b');
  countDown(counts, 'unknown');
  expect([...counts]).toEqual([['a', 1]]);
});
