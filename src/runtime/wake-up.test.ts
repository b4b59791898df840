import { describe, expect, test } from 'bun:test';

import { createVirtualClock } from './testing/virtual-clock.ts';
import { createWakeUp } from './wake-up.ts';

/** What becomes of a promise, in words. */
function follow(promise: Promise<void>): { state: string } {
  const seen = { state: 'waits' };
  promise.then(
    () => (seen.state = 'woken'),
    (error: Error) => (seen.state = error.message),
  );
  return seen;
}

const turn = async () => new Promise(setImmediate);

describe('createWakeUp()', () => {
  test('next() ends at the next call for all that wait, and not at one before', async () => {
    const { signal } = new AbortController();
    const wakeUp = createWakeUp();
    wakeUp.wake();
    const [a, b] = [follow(wakeUp.next(signal)), follow(wakeUp.next(signal))];
    await turn();
    expect([a.state, b.state]).toEqual(['waits', 'waits']);
    wakeUp.wake();
    const later = follow(wakeUp.next(signal));
    await turn();
    expect([a.state, b.state, later.state]).toEqual(['woken', 'woken', 'waits']);
  });

  test('next() rejects with the reason when the signal aborts, or has before', async () => {
    const stopped = new AbortController();
    const wakeUp = createWakeUp();
    const during = follow(wakeUp.next(stopped.signal));
    stopped.abort(new Error('stopped'));
    const after = follow(wakeUp.next(stopped.signal));
    wakeUp.wake();
    await turn();
    expect([during.state, after.state]).toEqual(['stopped', 'stopped']);
  });

  test('a wait that a woken one begins in its turn is not ended by the same call', async () => {
    const { signal } = new AbortController();
    const wakeUp = createWakeUp();
    let turns = 0;
    const run = async () => {
      for (;;) {
        await wakeUp.next(signal);
        turns++;
      }
    };
    void run();
    wakeUp.wake();
    await turn();
    expect(turns).toBe(1);
  });

  test.each([
    ['a call', 'wake'],
    ['the end of the time', 'time'],
    ['the signal', 'abort'],
  ] as const)('sleep() ends at %s', async (_name, how) => {
    const clock = createVirtualClock();
    const stopped = new AbortController();
    const wakeUp = createWakeUp();
    const sleeping = follow(wakeUp.sleep(clock, 1000, stopped.signal));
    await clock.advance(999);
    expect(sleeping.state).toBe('waits');
    if (how === 'wake') wakeUp.wake();
    if (how === 'time') await clock.advance(1);
    if (how === 'abort') stopped.abort(new Error('stopped'));
    await turn();
    expect(sleeping.state).toBe('woken');
  });
});
