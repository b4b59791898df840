import { describe, expect, test } from 'bun:test';

import { createProgress } from './progress.ts';

const MIB = 1024 * 1024;

describe('createProgress()', () => {
  test.each<readonly [string, readonly number[], number, boolean]>([
    ['has not begun', [], 60_000, false],
    ['grew a moment ago', [0, 100, 200], 2600, false],
    ['grew quickly, and has not for long', [0, 100, 200], 2800, true],
    ['grows slowly', [2000, 4000, 6000, 8000], 17_000, false],
    ['grew slowly, and has not for very long', [2000, 4000, 6000, 8000], 32_000, true],
    ['took its time for the first step, and does so for the next', [5000], 20_000, false],
    ['took its time for the first step, and then stood still', [5000], 30_000, true],
    ['waited for its turn for long', [60_000], 75_000, false],
  ])('a download that %s', (_, grownMs, nowMs, isStuck) => {
    const progress = createProgress(0);
    grownMs.forEach((atMs, step) => progress.note((step + 1) * MIB, atMs));
    expect(progress.isStuck(nowMs)).toBe(isStuck);
  });

  test('the same size again is no growth', () => {
    const progress = createProgress(0);
    for (let atMs = 0; atMs < 5000; atMs += 100) progress.note(MIB, atMs);
    expect(progress.isStuck(5000)).toBe(true);
  });
});

test('a download that another source goes on with has time to grow again', () => {
  const progress = createProgress(0);
  progress.note(MIB, 0);
  progress.restart(10_000);
  expect([progress.isStuck(12_000), progress.isStuck(13_000)]).toEqual([false, true]);
});

test('a download is late before it stands still, and after it was slow for once', () => {
  const progress = createProgress(0);
  for (let step = 1; step <= 10; step++) progress.note(step * MIB, step * 1000);
  const after = (ms: number) => [progress.isLate(10_000 + ms), progress.isStuck(10_000 + ms)];
  expect([after(2900), after(3100), after(6100)]).toEqual([
    [false, false],
    [true, false],
    [true, true],
  ]);
});
