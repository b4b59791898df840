import { describe, expect, test } from 'bun:test';
import { formatDuration, InvalidDurationError, parseDuration } from './duration.ts';

describe('parseDuration()', () => {
  test.each([
    ['20ms', 20],
    ['2s', 2000],
    ['1m30s', 90_000],
    ['1h2m3.5s', 3_723_500],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['250us', 0.25],
    ['250µs', 0.25],
    ['250μs', 0.25],
    ['-1s', -1000],
    ['+1s', 1000],
    ['0', 0],
    ['0s', 0],
  ])('parseDuration() reads %p', (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 9);
  });

  test.each(['', '20', 's', '1x', '1s ', ' 1s', '1s2', '1 s', '--1s', '.s', '1e3s', 'NaNs', '-'])(
    'parseDuration() throws when the text is %p',
    (text) => {
      expect(() => parseDuration(text)).toThrow(InvalidDurationError);
    },
  );
});

describe('formatDuration()', () => {
  test.each([
    [0, '0s'],
    [20, '20ms'],
    [0.25, '250µs'],
    [0.000_5, '500ns'],
    [1500, '1.5s'],
    [2000, '2s'],
    [90_000, '1m30s'],
    [3_723_500, '1h2m3.5s'],
    [3_600_000, '1h0m0s'],
    [-1000, '-1s'],
  ])('formatDuration() writes %p as %p', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
    expect(parseDuration(text)).toBeCloseTo(ms, 6);
  });
});
