import { describe, expect, test } from 'bun:test';
import type { Stream } from '@libp2p/interface';

import { failureOf, until } from '../../runtime/conditions.fixture.ts';
import { frame } from '../../dht/wire/protocol-buffers.ts';
import { createRequestStream, type RequestStreamOptions, StreamLostError } from './request-stream.ts';

const OPTIONS: RequestStreamOptions = {
  maxAnswerBytes: 100,
  maxWaiting: 3,
  answerTimeoutMs: 10_000,
  idleMs: 10_000,
};
const QUESTION = Uint8Array.of(1);

/** A stream to a peer that is played by the test. */
class FakeStream extends EventTarget {
  status = 'open';
  remoteWriteStatus = 'writable';
  readonly sent: Uint8Array[] = [];
  readonly aborts: Error[] = [];
  send(bytes: Uint8Array): boolean {
    if (this.status !== 'open') throw new Error('Closed');
    this.sent.push(bytes);
    return true;
  }
  abort(cause: Error): void {
    this.aborts.push(cause);
    this.status = 'aborted';
    this.dispatchEvent(new Event('close'));
  }
  receive(...bytes: number[]): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data: Uint8Array.from(bytes) }));
  }
}

function open(options: Partial<RequestStreamOptions> = {}, fake = new FakeStream()) {
  let ends = 0;
  const onEnd = () => void ends++;
  const stream = createRequestStream(fake as unknown as Stream, { ...OPTIONS, onEnd, ...options });
  return { fake, stream, ends: () => ends };
}

describe('createRequestStream()', () => {
  test('ask() sends what is asked in one turn together and gives the answers in order', async () => {
    const { fake, stream } = open({ clock: { nowMs: () => 7 } });
    expect(stream.waitingSinceMs).toBeUndefined();
    const answers = [stream.ask(QUESTION), stream.ask(QUESTION)];
    expect(stream.waitingSinceMs).toBe(7);
    await new Promise(setImmediate);
    expect(fake.sent).toEqual([Buffer.concat([QUESTION, QUESTION])]);
    fake.receive(...frame([Uint8Array.of(5)]), 2, 6);
    fake.receive(7);
    expect(await Promise.all(answers)).toEqual([Uint8Array.of(5), Uint8Array.of(6, 7)]);
    expect(stream.waitingSinceMs).toBeUndefined();
    stream.end(new Error('Over'));
  });

  test('ask() does not wait for the end of a turn that is long', async () => {
    let nowMs = 7;
    const { fake, stream } = open({ clock: { nowMs: () => nowMs } });
    const answers = [stream.ask(QUESTION)];
    nowMs += 3;
    answers.push(stream.ask(QUESTION));
    expect(fake.sent).toHaveLength(1);
    fake.receive(0, 0);
    await Promise.all(answers);
    await new Promise(setImmediate);
    expect(fake.sent).toHaveLength(1);
    stream.end(new Error('Over'));
  });

  test('ask() rejects beyond its bound without ending the stream', async () => {
    const { fake, stream } = open();
    const answers = [1, 2, 3].map(async () => stream.ask(QUESTION));
    expect((await failureOf(stream.ask(QUESTION))).message).toContain('Too many');
    fake.receive(0, 0, 0);
    await Promise.all(answers);
    expect(stream.isOpen).toBe(true);
    stream.end(new Error('Over'));
  });

  for (const event of ['close', 'remoteCloseWrite']) {
    test(`is lost on ${event}, and resets its side`, async () => {
      const { fake, stream, ends } = open();
      const answer = failureOf(stream.ask(QUESTION));
      fake.dispatchEvent(new Event(event));
      expect(await answer).toBeInstanceOf(StreamLostError);
      expect(await failureOf(stream.ask(QUESTION))).toBeInstanceOf(StreamLostError);
      expect([stream.isOpen, fake.aborts.length, ends()]).toEqual([false, 1, 1]);
    });
  }

  test('is lost when the stream had ended before', async () => {
    const fake = Object.assign(new FakeStream(), { remoteWriteStatus: 'closed' });
    const { stream, ends } = open({}, fake);
    expect(await failureOf(stream.ask(QUESTION))).toBeInstanceOf(StreamLostError);
    expect(ends()).toBe(1);
  });

  test('is lost when it cannot be written to', async () => {
    const { fake, stream } = open();
    fake.status = 'closing';
    expect(await failureOf(stream.ask(QUESTION))).toBeInstanceOf(StreamLostError);
  });

  test('ends when a peer says what it was not asked, or more than allowed', async () => {
    for (const bytes of [[0, 0], [101], [0xff, 0xff, 0xff, 0x7f]]) {
      const { fake, stream } = open();
      const answer = stream.ask(QUESTION).catch(() => {});
      fake.receive(...bytes);
      expect(stream.isOpen).toBe(false);
      await answer;
    }
  });

  test('ends when an answer does not come in time, whatever trickles in', async () => {
    const { fake, stream } = open({ answerTimeoutMs: 20 });
    const answer = failureOf(stream.ask(QUESTION));
    const trickle = setInterval(() => fake.receive(...(fake.status === 'open' ? [1] : [])), 5);
    fake.receive(99);
    expect((await answer).message).toBe('The peer does not answer');
    clearInterval(trickle);
    expect(fake.aborts).toHaveLength(1);
  });

  test('ends when it was idle, so that the other side does not have to', async () => {
    const { fake, stream, ends } = open({ idleMs: 5 });
    await until(() => !stream.isOpen);
    expect([fake.aborts.length, ends()]).toEqual([1, 1]);
  });
});
