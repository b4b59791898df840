import { expect, test } from 'bun:test';

import { createKeyedBackoff } from './keyed-backoff.ts';

test('createKeyedBackoff() doubles the wait of each key with each failure, until it is cleared', () => {
  let nowMs = 0;
  const backoff = createKeyedBackoff(() => nowMs, { initialMs: 10, maxMs: 35, maxKeys: 10 });
  const waitMs = (key: string) => {
    const startMs = nowMs;
    while (backoff.isWaiting(key)) nowMs++;
    return nowMs - startMs;
  };
  expect(waitMs('a')).toBe(0);
  const waits = [1, 2, 3, 4].map(() => {
    backoff.failed('a');
    return waitMs('a');
  });
  expect(waits).toEqual([10, 20, 35, 35]);
  backoff.failed('a');
  backoff.failed('b');
  backoff.clear('a');
  expect([waitMs('a'), waitMs('b')]).toEqual([0, 10]);
  backoff.failed('a');
  expect(waitMs('a')).toBe(10);
});

test('createKeyedBackoff() forgets the oldest failures when there are too many', () => {
  const backoff = createKeyedBackoff(() => 0, { initialMs: 10, maxMs: 10, maxKeys: 2 });
  for (const key of ['a', 'b', 'a', 'c']) backoff.failed(key);
  expect(['a', 'b', 'c'].map((key) => backoff.isWaiting(key))).toEqual([true, false, true]);
});
