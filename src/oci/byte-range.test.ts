import { describe, expect, test } from 'bun:test';
import {
  formatContentRange,
  formatRange,
  formatUnsatisfiedRange,
  parseContentRange,
  parseRange,
  parseUnsatisfiedRange,
  type RangeSpec,
  rangeLength,
  resolveRange,
} from './byte-range.ts';

describe('parseRange()', () => {
  const cases: [string | undefined, RangeSpec | undefined][] = [
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=5-', { start: 5 }],
    ['bytes=-5', { suffixLength: 5 }],
    ['BYTES=1-2', { start: 1, end: 2 }],
    ['bytes= 1-2 ', { start: 1, end: 2 }],
    ['bytes=1-99999999999999999999', { start: 1, end: Number.MAX_SAFE_INTEGER }],
    ['bytes=00000000000000000000001-0002', { start: 1, end: 2 }],
    [undefined, undefined],
    ['', undefined],
    ['bytes', undefined],
    ['bytes=', undefined],
    ['bytes=-', undefined],
    ['bytes=a-b', undefined],
    ['bytes=2-1', undefined],
    ['bytes=1-2,4-5', undefined],
    ['bytes=1-2-3', undefined],
    ['bytes=--1', undefined],
    ['bytes=+1-2', undefined],
    ['bytes=1.5-2', undefined],
    ['bytes=0x1-2', undefined],
    ['items=1-2', undefined],
    ['bytes=99999999999999999999-', { start: Number.MAX_SAFE_INTEGER }],
    [
      'bytes=99999999999999999998-99999999999999999999',
      { start: Number.MAX_SAFE_INTEGER, end: Number.MAX_SAFE_INTEGER },
    ],
    ['bytes=99999999999999999999-99999999999999999998', undefined],
    [`bytes=${'9'.repeat(400)}-`, { start: Number.MAX_SAFE_INTEGER }],
    ['bytes=-99999999999999999999', { suffixLength: Number.MAX_SAFE_INTEGER }],
  ];
  test.each(cases)('reads %j', (header, expected) => expect(parseRange(header)).toEqual(expected as never));
});

describe('resolveRange()', () => {
  const cases: [RangeSpec, number, [number, number] | undefined][] = [
    [{ start: 0 }, 10, [0, 9]],
    [{ start: 9 }, 10, [9, 9]],
    [{ start: 10 }, 10, undefined],
    [{ start: 2, end: 4 }, 10, [2, 4]],
    [{ start: 2, end: 99 }, 10, [2, 9]],
    [{ start: 0, end: 0 }, 0, undefined],
    [{ start: 0, end: Number.MAX_SAFE_INTEGER }, 10, [0, 9]],
    [{ start: Number.MAX_SAFE_INTEGER }, 10, undefined],
    [{ suffixLength: Number.MAX_SAFE_INTEGER }, 10, [0, 9]],
    [{ suffixLength: 3 }, 10, [7, 9]],
    [{ suffixLength: 30 }, 10, [0, 9]],
    [{ suffixLength: 0 }, 10, undefined],
    [{ suffixLength: 3 }, 0, undefined],
  ];
  test.each(cases)('%j of %d bytes', (spec, sizeBytes, expected) => {
    const range = resolveRange(spec, sizeBytes);
    expect(range === undefined ? undefined : [range.start, range.end]).toEqual(expected as never);
  });
});

test.each(['bytes=0-0', 'bytes=5-', 'bytes=-5'])(
  'formatRange() writes what parseRange() read: %s',
  (header) => {
    const spec = parseRange(header);
    expect(spec === undefined ? '' : formatRange(spec)).toBe(header);
  },
);

describe('parseContentRange()', () => {
  test('reads what formatContentRange() writes', () => {
    expect(parseContentRange(formatContentRange({ start: 2, end: 4 }, 10))).toEqual({
      start: 2,
      end: 4,
      sizeBytes: 10,
    });
  });
  const invalid = [
    undefined,
    '',
    'bytes */10',
    'bytes 2-4/*',
    'bytes 4-2/10',
    'bytes 2-10/10',
    'bytes 2-4/99999999999999999999',
    'items 2-4/10',
    'bytes 2-4',
  ];
  test.each(invalid)('refuses %j', (header) => expect(parseContentRange(header)).toBeUndefined());
});

test('rangeLength() counts both ends', () => expect(rangeLength({ start: 3, end: 3 })).toBe(1));

test('parseUnsatisfiedRange() reads what formatUnsatisfiedRange() writes, and nothing else', () => {
  expect(parseUnsatisfiedRange(formatUnsatisfiedRange(10))).toBe(10);
  for (const header of [
    undefined,
    '',
    'bytes 0-1/10',
    'bytes */*',
    'bytes */',
    `bytes */${'9'.repeat(20)}`,
  ]) {
    expect(parseUnsatisfiedRange(header)).toBeUndefined();
  }
});
