import { describe, expect, test } from 'bun:test';

import { createMessageReader } from './message-reader.ts';
import { concat, frame } from './protocol-buffers.ts';

function messagesOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => new Uint8Array((index * 37) % 300).fill(index));
}

describe('createMessageReader()', () => {
  test.each([1, 2, 7, 100, 1000, 100_000])(
    'gives whole messages, however they come: %d bytes at a time',
    (size) => {
      const messages = messagesOf(100);
      const all = concat(messages.map((message) => frame([message])));
      const reader = createMessageReader(1000);
      const taken: Uint8Array[] = [];
      for (let at = 0; at < all.length; at += size) {
        reader.add(all.subarray(at, at + size));
        // Not all of them each time.
        for (let count = 0; count < 3; count++) {
          const message = reader.next();
          if (message === undefined) break;
          taken.push(message);
        }
      }
      for (let message = reader.next(); message !== undefined; message = reader.next()) taken.push(message);
      expect(taken).toEqual(messages);
      expect(reader.heldBytes).toBe(0);
    },
  );

  test.each([
    ['a Uint8Array', (bytes: Uint8Array) => Uint8Array.from(bytes)],
    ['a Buffer', (bytes: Uint8Array) => Buffer.from(bytes)],
  ])('keeps a copy of what is left, so that %s that it came in can change', (_what, copy) => {
    const reader = createMessageReader(1000);
    const bytes = frame([Uint8Array.of(1, 2, 3)]);
    const incoming = copy(bytes.slice(0, 2));
    reader.add(incoming);
    expect(reader.next()).toBeUndefined();
    incoming.fill(9);
    reader.add(bytes.slice(2));
    expect(reader.next()).toEqual(Uint8Array.of(1, 2, 3));
  });

  test('refuses a message that is too long as soon as its length is there', () => {
    const reader = createMessageReader(100);
    reader.add(Uint8Array.of(0xe4, 0x00));
    expect(reader.next()).toBeUndefined();
    const other = createMessageReader(100);
    other.add(Uint8Array.of(0xe5));
    expect(other.next()).toBeUndefined();
    other.add(Uint8Array.of(0x00));
    expect(() => other.next()).toThrow('Cannot take a message of 101 bytes, the limit is 100');
  });
});
