import { describe, expect, test } from 'bun:test';

import { createIntake } from './intake.ts';

const MIB = 1024 * 1024;
const STEP_MS = 100;

/** An intake, and its clock. */
function start() {
  const intake = createIntake();
  let nowMs = 0;
  return {
    intake,
    /** So much comes for so long, evenly. */
    come(mibPerSecond: number, seconds: number) {
      for (const endMs = nowMs + seconds * 1000; nowMs < endMs; nowMs += STEP_MS) {
        intake.note((mibPerSecond * MIB * STEP_MS) / 1000, nowMs);
      }
    },
    /** So much comes at once, and then nothing. */
    burst(mib: number, everySeconds: number) {
      intake.note(mib * MIB, nowMs);
      for (const endMs = nowMs + everySeconds * 1000; nowMs < endMs; nowMs += STEP_MS) intake.note(0, nowMs);
    },
    /** Nothing is to come. */
    pause(seconds: number) {
      for (const endMs = nowMs + seconds * 1000; nowMs < endMs; nowMs += STEP_MS) intake.skip(nowMs);
    },
    /** This process does not get to run. */
    stand(seconds: number) {
      nowMs += seconds * 1000;
    },
    isSlow: () => intake.isSlow(nowMs),
  };
}

describe('createIntake()', () => {
  test.each<readonly [string, number, number, number, boolean]>([
    ['as before', 10, 8, 5, false],
    ['half of it', 10, 4, 5, false],
    ['a tenth of it for a second', 10, 0.8, 1, false],
    ['a tenth of it for three seconds', 10, 0.8, 3, true],
    ['nothing for three seconds', 10, 0, 3, true],
    ['a tenth of it after a second and a half', 1.5, 0.8, 3, true],
    ['a tenth of it, after too little to tell', 0.8, 0.8, 5, false],
  ])('%s', (_, seconds, laterRate, laterSeconds, isSlow) => {
    const node = start();
    node.come(8, seconds);
    node.come(laterRate, laterSeconds);
    expect(node.isSlow()).toBe(isSlow);
  });

  test('says nothing of a link that was never fast', () => {
    const node = start();
    node.come(0.01, 20);
    node.come(0, 20);
    expect(node.isSlow()).toBe(false);
  });

  test.each([
    ['three layers, 5 Mbit/s', 3, 5],
    ['three layers, two steps each, 10 Mbit/s', 6, 5],
    ['three layers, 25 Mbit/s', 3, 1],
    ['one layer, 100 Mbit/s', 1, 0.1],
  ])('says nothing of layers that grow together, and then all wait: %s', (_, mib, everySeconds) => {
    const node = start();
    for (let step = 0; step < 30; step++) {
      node.burst(mib, everySeconds);
      expect([step, node.isSlow()]).toEqual([step, false]);
    }
  });

  test('is slow until as much comes again', () => {
    const node = start();
    node.come(8, 3);
    node.come(0.3, 40);
    expect(node.isSlow()).toBe(true);
    node.come(6, 2);
    expect(node.isSlow()).toBe(false);
    // What comes then is compared with what came since.
    node.come(6, 5);
    node.come(0.3, 3);
    expect(node.isSlow()).toBe(true);
  });

  test('is slow for a minute', () => {
    const node = start();
    node.come(8, 3);
    node.come(0.3, 55);
    const before = node.isSlow();
    // Nothing is to come, or it goes on so.
    node.stand(10);
    const after = node.isSlow();
    node.come(0.3, 10);
    expect([before, after, node.isSlow()]).toEqual([true, false, false]);
  });

  test('says nothing of the time in which this process did not get to run', () => {
    const node = start();
    node.come(8, 5);
    node.stand(10);
    node.come(8, 0.1);
    const first = node.isSlow();
    node.come(8, 1);
    expect([first, node.isSlow()]).toEqual([false, false]);
  });

  test('says nothing of the time in which nothing was to come', () => {
    const node = start();
    node.come(8, 5);
    node.pause(10);
    node.come(8, 0.1);
    const first = node.isSlow();
    node.come(8, 1);
    expect([first, node.isSlow()]).toEqual([false, false]);
  });

  test('forgets what was when no download is under way', () => {
    const node = start();
    node.come(10, 10);
    node.intake.reset();
    node.come(0.001, 5);
    expect(node.isSlow()).toBe(false);
  });
});
