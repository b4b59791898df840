import { expect, test } from 'bun:test';
import { formatCold } from './format-cold.ts';
import type { ColdRound } from './run-cold.ts';

const ROUND: ColdRound = {
  makespanMs: 6000,
  copies: 1.02,
  longestHoldMs: 2540,
  aloneMs: undefined,
  retried: 0,
  mirrorSeconds: 1.5,
  busyShare: 0.456,
  failures: [],
};
const RESULT = { name: 'kill', idealMs: 4800, peakRssBytes: 104 * 1024 * 1024, rounds: [ROUND] };

const table = (rounds: readonly ColdRound[]) =>
  formatCold([{ ...RESULT, rounds }])
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));

test('formatCold() shows one row a fault, and leaves out columns without a figure', () => {
  expect(table([ROUND, { ...ROUND, makespanMs: 9000, failures: ['a'] }, ROUND])).toEqual([
    ['COLD', 'MAKESPAN s', 'OF IDEAL', 'COPIES', 'HELD s', 'MIRRORS CPU s', 'BUSY', 'PEAK RSS MiB', 'FAILED'],
    [
      'kill',
      '6.00 (6.00-9.00)',
      '1.25',
      '1.02 (1.02-1.02)',
      '2.5 (2.5-2.5)',
      '1.50 (1.50-1.50)',
      '46 %',
      '104',
      '1',
    ],
  ]);
});

test('formatCold() compares with a node that is alone, and counts what was tried again', () => {
  const [head = [], row = []] = table([{ ...ROUND, aloneMs: 5000, retried: 6 }]);
  expect(row[head.indexOf('OF ALONE')]).toBe('1.20');
  expect(row[head.indexOf('RETRIED')]).toBe('6');
});
