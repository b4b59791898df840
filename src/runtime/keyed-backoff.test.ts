import { describe, expect, test } from 'bun:test';

import { createKeyedBackoff, type KeyedBackoff } from './keyed-backoff.ts';

const OPTIONS = { initialMs: 1000, maxMs: 5000, maxKeys: 2 } as const;

function start(options: Partial<Parameters<typeof createKeyedBackoff>[1]> = {}) {
  const time = { ms: 0 };
  const backoff = createKeyedBackoff(() => time.ms, { ...OPTIONS, ...options });
  return { time, backoff };
}

/** Starts the key's next wait; returns how long it is, in ms, at whose end the time is then. */
function waitOut(backoff: KeyedBackoff, time: { ms: number }, key = 'a'): number {
  const startedMs = time.ms;
  expect(backoff.start(key)).toBe(true);
  while (backoff.isWaiting(key)) time.ms += 100;
  return time.ms - startedMs;
}

describe('createKeyedBackoff()', () => {
  test('doubles the wait of a key up to the longest', () => {
    const { backoff, time } = start();
    expect(backoff.isWaiting('a')).toBe(false);
    expect([1, 2, 3, 4, 5].map(() => waitOut(backoff, time))).toEqual([1000, 2000, 4000, 5000, 5000]);
    expect(backoff.has('a')).toBe(true);
    expect(backoff.has('b')).toBe(false);
  });

  test('takes what fails during a wait for the same failure', () => {
    const { backoff, time } = start();
    backoff.start('a');
    time.ms = 500;
    expect(backoff.start('a')).toBe(false);
    time.ms = 1000;
    expect(backoff.isWaiting('a')).toBe(false);
    expect(waitOut(backoff, time)).toBe(2000);
  });

  test('forget() makes the next wait the first', () => {
    const { backoff, time } = start();
    waitOut(backoff, time);
    backoff.start('a');
    backoff.forget('a');
    expect([backoff.isWaiting('a'), backoff.has('a')]).toEqual([false, false]);
    expect(waitOut(backoff, time)).toBe(1000);
  });

  test('endWaits() ends a wait, and the next is longer all the same', () => {
    const { backoff, time } = start();
    backoff.start('a');
    backoff.start('b');
    backoff.endWaits((key) => key === 'a');
    expect([backoff.isWaiting('a'), backoff.isWaiting('b')]).toEqual([false, true]);
    expect(waitOut(backoff, time)).toBe(2000);
  });

  test('forgets the key whose wait began first when there are too many', () => {
    const { backoff, time } = start();
    for (const key of ['a', 'b']) waitOut(backoff, time, key);
    backoff.start('a');
    backoff.start('c');
    expect(['a', 'b', 'c'].map((key) => backoff.has(key))).toEqual([true, false, true]);
  });

  test('leaves out up to half of a wait, and doubles the whole of it', () => {
    const { backoff, time } = start({ random: () => 0.4 });
    expect([waitOut(backoff, time), waitOut(backoff, time)]).toEqual([800, 1600]);
  });
});
