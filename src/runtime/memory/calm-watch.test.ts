import { expect, test } from 'bun:test';

import { createCalmWatch } from './calm-watch.ts';

/** How many looks it takes until the process counts as calm. */
function looksUntilCalm(watch: ReturnType<typeof createCalmWatch>, cpuMs = 0): number {
  for (let looks = 1; looks <= 100; looks++) if (watch.passed(watch.lookMs, cpuMs)) return looks;
  return Infinity;
}

test('createCalmWatch() takes a process for calm after 20 s of next to no work, each time once', () => {
  const watch = createCalmWatch(() => true);
  expect(watch.lookMs).toBe(1000);
  // One look after 1 s, and then one every 2 s.
  expect(looksUntilCalm(watch)).toBe(11);
  expect(looksUntilCalm(watch)).toBe(9);
  expect(looksUntilCalm(watch, 50)).toBe(Infinity);
});

test('createCalmWatch() starts over when the process is not idle, and then looks twice as often', () => {
  let isIdle = true;
  const watch = createCalmWatch(() => isIdle);
  watch.passed(watch.lookMs, 0);
  expect(watch.lookMs).toBe(2000);
  isIdle = false;
  expect(watch.passed(60_000, 0)).toBe(false);
  expect(watch.lookMs).toBe(1000);
});
