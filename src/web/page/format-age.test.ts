import { expect, test } from 'bun:test';
import { formatAge, formatSpan } from './format-age.ts';

test.each([
  [-5, '0 ms', '0 s'],
  [0.4, '0 ms', '0 s'],
  [999, '999 ms', '0 s'],
  [1540, '1.5 s', '1 s'],
  [9999, '10.0 s', '9 s'],
  [59_999, '59 s', '59 s'],
  [60_000, '1 min', '1 min'],
  [3_599_999, '59 min', '59 min'],
  [3_600_000, '1 h', '1 h'],
  [2 * 86_400_000 - 1, '47 h', '47 h'],
  [2 * 86_400_000, '2 d', '2 d'],
])('formatAge() and formatSpan() write %d ms as %j and %j', (ms, age, span) => {
  expect(formatAge(ms).replaceAll('\u00A0', ' ')).toBe(age);
  expect(formatSpan(ms).replaceAll('\u00A0', ' ')).toBe(span);
});
