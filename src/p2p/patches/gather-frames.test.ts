import { expect, test } from 'bun:test';

import { gatherFrames } from './gather-frames.ts';

/** A frame of data with its head and so many bytes. */
function frame(text: string, type = 0): Uint8Array {
  const head = new Uint8Array(12);
  head[1] = type;
  return Buffer.concat([head, Buffer.from(text)]);
}

/** A connection that writes down what it is given, under a clock that the test sets. */
function start({ canSendMore = true } = {}) {
  const sent: Uint8Array[] = [];
  const clock = { ms: 0 };
  const send = gatherFrames(
    (bytes) => {
      sent.push(bytes);
      return canSendMore;
    },
    { nowMs: () => clock.ms },
  );
  return { sent, clock, send };
}

test('gatherFrames() sends frames of one turn together, in order, and a later one for itself', async () => {
  const { sent, send } = start();
  const parts = [frame('a'), frame('b'), frame('c')];
  expect(parts.map(send)).toEqual([true, true, true]);
  expect(sent).toEqual([]);
  await new Promise(setImmediate);
  expect(sent.map((bytes) => Buffer.from(bytes))).toEqual([Buffer.concat(parts)]);
  send(frame('d'));
  await new Promise(setImmediate);
  expect(sent).toHaveLength(2);
});

test.each([
  ['much', (send: (bytes: Uint8Array) => boolean) => send(frame('x'.repeat(16 * 1024)))],
  ['the end of the connection', (send: (bytes: Uint8Array) => boolean) => send(frame('', 3))],
])('gatherFrames() does not wait with %s, and says when the connection is full', (_, act) => {
  const { sent, send } = start({ canSendMore: false });
  send(frame('a'));
  expect(act(send)).toBe(false);
  expect(sent).toHaveLength(1);
});

test('gatherFrames() does not wait for long while others keep the process busy', () => {
  const { sent, clock, send } = start();
  send(frame('a'));
  clock.ms = 3;
  send(frame('b'));
  expect(sent).toHaveLength(1);
});

test('gatherFrames() survives a connection that has ended', async () => {
  const send = gatherFrames(
    () => {
      throw new Error('It has ended');
    },
    { nowMs: () => 0 },
  );
  send(frame('a'));
  await new Promise(setImmediate);
  expect(() => send(frame('', 3))).toThrow('It has ended');
});
