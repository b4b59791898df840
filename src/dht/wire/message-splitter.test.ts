import { describe, expect, test } from 'bun:test';

import { createMessageSplitter } from './message-splitter.ts';
import { concat, frame } from './protocol-buffers.ts';

const BODIES = [0, 1, 127, 128, 300].map((length) => new Uint8Array(length).fill(length % 251));
const BYTES = concat(BODIES.map((body) => frame([body])));

describe('createMessageSplitter()', () => {
  for (const size of [1, 2, 3, 64, 129, BYTES.length]) {
    test(`cuts messages that come in pieces of ${size} bytes`, () => {
      const splitter = createMessageSplitter(300);
      const messages: Uint8Array[] = [];
      for (let at = 0; at < BYTES.length; at += size) {
        messages.push(...splitter.push(BYTES.slice(at, at + size)));
      }
      expect(messages).toEqual(BODIES);
    });
  }

  test.each([
    ['a Uint8Array', (bytes: Uint8Array) => bytes],
    ['a Buffer', (bytes: Uint8Array) => Buffer.from(bytes)],
  ])('returns copies of what came in %s', (_what, convert) => {
    const bytes = convert(frame([Uint8Array.of(1, 2)]));
    const [message] = createMessageSplitter(10).push(bytes);
    bytes.fill(0);
    expect([...(message ?? [])]).toEqual([1, 2]);
  });

  test('refuses a message that is too long by its length alone, also in pieces', () => {
    for (const pieces of [
      [[0xad, 0x02]],
      [[0xad], [0x02]],
      [
        [1, 0],
        [0xff, 0xff],
        [0xff, 0xff, 0x7f],
      ],
    ]) {
      const splitter = createMessageSplitter(300);
      expect(() => {
        for (const piece of pieces) splitter.push(Uint8Array.from(piece));
      }).toThrow(/^Cannot take a message of \d+ bytes, the limit is 300$/);
    }
  });

  test('refuses a length that does not end', () => {
    const splitter = createMessageSplitter(300);
    expect(() => {
      for (let count = 0; count < 11; count++) splitter.push(Uint8Array.of(0xff));
    }).toThrow('a number is too long');
  });
});
