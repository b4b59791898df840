import { describe, expect, test } from 'bun:test';

import { createIntake } from './intake.ts';
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

describe('createIntake()', () => {
  /** 10 s at 8 MiB/s, then so many at another rate. */
  const at = (laterRate: number, laterSeconds: number) => {
    const intake = createIntake();
    for (let tenth = 0; tenth < 100; tenth++) intake.note(0.8 * MIB, tenth * 100);
    for (let tenth = 100; tenth < 100 + laterSeconds * 10; tenth++) {
      intake.note(laterRate * MIB * 0.1, tenth * 100);
    }
    return intake.isSlow(10_000 + laterSeconds * 1000, 0);
  };
  test.each<readonly [string, number, number, boolean]>([
    ['as before', 8, 5, false],
    ['half of it', 4, 5, false],
    ['a tenth of it for a second', 0.8, 1, false],
    ['a tenth of it for four seconds', 0.8, 4, true],
    ['nothing for four seconds', 0, 4, true],
  ])('%s', (_, rate, seconds, isSlow) => {
    expect(at(rate, seconds)).toBe(isSlow);
  });

  test('says nothing of a link that was never fast', () => {
    const intake = createIntake();
    for (let second = 0; second < 20; second++) intake.note(1000, second * 1000);
    expect(intake.isSlow(40_000, 0)).toBe(false);
  });

  test('says nothing of layers that grow together, and then wait for each other', () => {
    const intake = createIntake();
    const isSlow = (stepMs: number) => intake.isSlow(19_900, stepMs);
    for (let second = 0; second < 20; second += 5) intake.note(6 * MIB, second * 1000);
    expect([isSlow(0), isSlow(5000)]).toEqual([true, false]);
  });

  test('forgets what was when no download is under way', () => {
    const intake = createIntake();
    for (let tenth = 0; tenth < 100; tenth++) intake.note(MIB, tenth * 100);
    intake.reset();
    intake.note(1, 20_000);
    expect(intake.isSlow(24_000, 0)).toBe(false);
  });
});
