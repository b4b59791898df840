import { describe, expect, test } from 'bun:test';

import { digestOf } from './digest.ts';
import { recentDigest } from './recent-digests.ts';

const digestNo = (n: number) => digestOf(new TextEncoder().encode(`recent ${n}`));

describe('recentDigest()', () => {
  test('gives the digest that a text is, also of one that is remembered', () => {
    const digest = digestNo(0);
    const sha512 = digestOf(new Uint8Array(1), 'sha512');
    for (let times = 0; times < 2; times++) {
      expect(recentDigest(`x${digest}`.slice(1))).toBe(digest);
      expect(recentDigest(sha512)).toBe(sha512);
    }
  });

  test.each([
    '',
    'latest',
    'sha256:',
    `sha256:${'0'.repeat(63)}`,
    `SHA256:${'0'.repeat(64)}`,
    `sha256:${'é'.repeat(64)}`,
  ])('gives nothing for %p', (text) => {
    for (let times = 0; times < 2; times++) expect(recentDigest(text)).toBeUndefined();
  });

  test('gives the right digest whatever it has forgotten', () => {
    for (let n = 0; n < 10_000; n++) {
      const digest = digestNo(n % 6000);
      expect(recentDigest(digest)).toBe(digest);
    }
  });
});
