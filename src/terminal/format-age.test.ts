import { expect, test } from 'bun:test';
import { formatAge, formatSpan } from './format-age.ts';

const [S, M, H] = [1000, 60_000, 3_600_000];

test.each([
  [-5, '0s'],
  [999, '0s'],
  [12_900, '12s'],
  [M - 1, '59s'],
  [M, '1m'],
  [H - 1, '59m'],
  [2 * H, '2h'],
  [48 * H - 1, '47h'],
  [5 * 24 * H, '5d'],
])('formatAge() of %d ms is %s', (ms, expected) => {
  expect(formatAge(ms)).toBe(expected);
});

test.each([
  [0, '0s'],
  [0.04, '0ms'],
  [8.26, '8.3ms'],
  [9.97, '10ms'],
  [229.6, '230ms'],
  [999.4, '999ms'],
  [999.6, '1s'],
  [1234, '1.2s'],
  [9.97 * S, '10s'],
  [25 * S, '25s'],
  [59.6 * S, '1m'],
  [3 * M + 20 * S, '3m20s'],
  [2 * H + 5 * M + 31 * S, '2h5m'],
  [2 * H, '2h'],
])('formatSpan() of %d ms is %s', (ms, expected) => {
  expect(formatSpan(ms)).toBe(expected);
});
