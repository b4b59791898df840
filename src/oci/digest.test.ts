import { describe, expect, test } from 'bun:test';
import { digestOf, InvalidDigestError, isDigest, matchesDigest, parseDigest, splitDigest } from './digest.ts';

const HELLO = 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
const bytes = new TextEncoder().encode('hello');

describe('parseDigest()', () => {
  const invalid = [
    '',
    'sha256',
    'sha256:',
    'sha256:zz',
    HELLO.toUpperCase(),
    `${HELLO}0`,
    HELLO.slice(0, -1),
    `${HELLO}\n`,
    `md5:${'0'.repeat(32)}`,
    `sha512:${'0'.repeat(64)}`,
    `sha256:../../../../etc/passwd`,
    `constructor:${'0'.repeat(64)}`,
  ];
  test.each(invalid)('refuses %j', (text) => {
    expect(isDigest(text)).toBe(false);
    expect(() => parseDigest(text)).toThrow(InvalidDigestError);
  });

  test.each([HELLO, `sha512:${'0a'.repeat(64)}`])('takes %s', (text) => {
    expect(parseDigest(text)).toBe(text as never);
  });

  test('quotes the value in its message, cut short', () => {
    expect(() => parseDigest('sha256:zz')).toThrow('Cannot parse digest "sha256:zz"');
    expect(() => parseDigest('x'.repeat(10_000))).toThrow(/^.{1,250}$/);
  });
});

test('digestOf() computes sha256 and sha512', () => {
  expect(digestOf(bytes)).toBe(parseDigest(HELLO));
  expect(digestOf(bytes, 'sha512')).toStartWith('sha512:9b71d224bd62f378');
});

test('matchesDigest() uses the algorithm of the digest', () => {
  expect(matchesDigest(bytes, digestOf(bytes, 'sha512'))).toBe(true);
  expect(matchesDigest(bytes, parseDigest(HELLO))).toBe(true);
  expect(matchesDigest(bytes.subarray(1), parseDigest(HELLO))).toBe(false);
});

test('splitDigest() gives algorithm and hex', () => {
  expect(splitDigest(parseDigest(HELLO))).toEqual({ algorithm: 'sha256', hex: HELLO.slice(7) });
});
