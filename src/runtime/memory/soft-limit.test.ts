import { expect, test } from 'bun:test';

import { createSoftLimit } from './soft-limit.ts';

test('createSoftLimit() collects from 65 % of the limit on, and rests fifty times as long as that took', () => {
  let [nowMs, collections] = [0, 0];
  const collect = () => {
    collections++;
    nowMs += 10;
  };
  const softLimit = createSoftLimit({ clock: { nowMs: () => nowMs }, collect }, 1000);
  softLimit.apply(649);
  expect([collections, softLimit.isResting]).toEqual([0, false]);
  softLimit.apply(650);
  expect([collections, softLimit.isResting]).toEqual([1, true]);
  softLimit.passed(499);
  expect(softLimit.isResting).toBe(true);
  softLimit.passed(1);
  expect(softLimit.isResting).toBe(false);
});
