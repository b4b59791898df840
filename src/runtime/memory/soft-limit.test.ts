import { expect, test } from 'bun:test';

import { createSoftLimit } from './soft-limit.ts';

test('createSoftLimit() collects from 60 % of the limit on, looks often from 45 % on, and rests ten times as long as that took', () => {
  let [nowMs, collections] = [0, 0];
  const collect = () => {
    collections++;
    nowMs += 10;
  };
  const softLimit = createSoftLimit({ clock: { nowMs: () => nowMs }, collect }, 1000);
  softLimit.apply(449);
  expect(softLimit.lookMs).toBe(Number.POSITIVE_INFINITY);
  softLimit.apply(599);
  expect([collections, softLimit.isResting, softLimit.lookMs]).toEqual([0, false, 250]);
  softLimit.apply(600);
  expect([collections, softLimit.isResting]).toEqual([1, true]);
  softLimit.passed(99);
  expect(softLimit.isResting).toBe(true);
  softLimit.passed(1);
  expect(softLimit.isResting).toBe(false);
});

test('createSoftLimit() rests only three times as long from 75 % of the limit on', () => {
  let nowMs = 0;
  const softLimit = createSoftLimit(
    { clock: { nowMs: () => nowMs }, collect: () => void (nowMs += 10) },
    1000,
  );
  softLimit.apply(749);
  softLimit.passed(99);
  expect(softLimit.isResting).toBe(true);
  softLimit.passed(1);
  softLimit.apply(750);
  softLimit.passed(29);
  expect(softLimit.isResting).toBe(true);
  softLimit.passed(1);
  expect(softLimit.isResting).toBe(false);
});
