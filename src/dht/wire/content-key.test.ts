import { expect, test } from 'bun:test';

import { contentMultihash, isContentMultihash } from './content-key.ts';

test('contentMultihash() is the sha2-256 multihash of the UTF-8 bytes', () => {
  // printf '%s' 'registry.lab:5000/app:v1' | sha256sum
  const hash = new Bun.CryptoHasher('sha256').update('registry.lab:5000/app:v1').digest('hex');
  expect(contentMultihash('registry.lab:5000/app:v1').toHex()).toBe(`1220${hash}`);
});

test.each([
  ['a content multihash', contentMultihash('x'), true],
  ['nothing', new Uint8Array(0), false],
  ['one byte less', contentMultihash('x').subarray(0, 33), false],
  ['one byte more', Uint8Array.from([...contentMultihash('x'), 0]), false],
  ['another hash function', Uint8Array.from([0x11, ...contentMultihash('x').subarray(1)]), false],
  ['another length byte', Uint8Array.from([0x12, 31, ...contentMultihash('x').subarray(2)]), false],
])('isContentMultihash() tells what %s is', (_name, bytes, expected) => {
  expect(isContentMultihash(bytes)).toBe(expected);
});
