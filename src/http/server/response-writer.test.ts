import { expect, test } from 'bun:test';
import { createResponseWriter } from './response-writer.ts';

test.each([
  ['a Uint8Array', () => Uint8Array.from(Buffer.from('what is sent'))],
  ['a Buffer', () => Buffer.from('what is sent')],
])('send() keeps a copy of what was not taken of %s', (_what, create) => {
  const bytes = create();
  const taken: number[] = [];
  let room = 5;
  const connection = {
    write(given: Uint8Array) {
      const now = given.subarray(0, room);
      taken.push(...now);
      return now.length;
    },
    close() {},
    finish() {},
  };
  const writer = createResponseWriter(connection, { stallTimeoutMs: 60_000, nowMs: () => 0 });
  writer.send(bytes);
  bytes.fill(0);
  room = Infinity;
  writer.writable();
  expect(Buffer.from(taken).toString()).toBe('what is sent');
  writer.stop();
});
