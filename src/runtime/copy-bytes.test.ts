import { expect, test } from 'bun:test';
import { copyBytes } from './copy-bytes.ts';

test.each([
  ['a Uint8Array', Uint8Array.of(1, 2, 3, 4)],
  ['a Buffer', Buffer.from([1, 2, 3, 4])],
])('copyBytes() copies a part of %s, and holds nothing else', (_what, bytes) => {
  const part = copyBytes(bytes, 1, 3);
  bytes.fill(9);
  expect([...part]).toEqual([2, 3]);
  expect(part.buffer.byteLength).toBe(2);
  expect([...copyBytes(bytes)]).toEqual([9, 9, 9, 9]);
});
