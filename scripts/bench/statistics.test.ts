import { describe, expect, test } from 'bun:test';
import { quantile, summarize } from './statistics.ts';

const HUNDRED = Array.from({ length: 100 }, (_, index) => 100 - index);

describe('quantile', () => {
  test.each([
    { values: [7], share: 0.99, expected: 7 },
    { values: HUNDRED, share: 0.5, expected: 50 },
    { values: HUNDRED, share: 0.99, expected: 99 },
    { values: HUNDRED, share: 1, expected: 100 },
    { values: HUNDRED, share: 0, expected: 1 },
    { values: [3, 1, 2], share: 0.99, expected: 3 },
  ])('quantile() takes $expected for $share of $values.length values', ({ values, share, expected }) => {
    expect(quantile(values, share)).toBe(expected);
  });

  test('quantile() throws for an empty list', () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });
});

test('summarize() gives the figures of a list, and none of an empty one', () => {
  expect(summarize(HUNDRED)).toEqual({ count: 100, mean: 50.5, p50: 50, p99: 99, max: 100 });
  expect(summarize([])).toBeUndefined();
});
