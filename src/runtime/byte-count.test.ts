import { describe, expect, test } from 'bun:test';
import { formatByteCount, parseByteCount } from './byte-count.ts';

describe('parseByteCount()', () => {
  test.each([
    ['0', 0],
    ['0B', 0],
    ['17B', 17],
    ['500kB', 500_000],
    ['1.5GB', 1_500_000_000],
    ['64MiB', 67_108_864],
    ['2gib', 2_147_483_648],
  ])('reads %s', (text, bytes) => expect(parseByteCount(text)).toBe(bytes));

  test.each(['', '100', '-1MB', 'MB', '1 MB', '1MB/s', '1Mbit', '99999999TB', '1e3kB'])(
    'refuses "%s"',
    (text) => expect(() => parseByteCount(text)).toThrow(RangeError),
  );
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [999_600, '1 MB'],
  [12_345_678, '12.3 MB'],
  [5e15, '5000 TB'],
])('formatByteCount() writes %d as %s', (bytes, text) => expect(formatByteCount(bytes)).toBe(text));
