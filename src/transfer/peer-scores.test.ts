import { describe, expect, test } from 'bun:test';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import {
  HEDGE_CEILING_MS,
  HEDGE_COLD_MS,
  HEDGE_FLOOR_MS,
  SCORE_MEMORY_MS,
  UPLOADS_MEMORY_MS,
} from './budgets.ts';
import { createPeerScores } from './peer-scores.ts';

const MIB = 1024 * 1024;
const A = { id: 'a', addresses: ['10.0.0.1', 'fd00::1'] };
const B = { id: 'b', addresses: ['10.0.0.2'] };
const [hostA, hostB] = ['10.0.0.1', '10.0.0.2'];

function setUp() {
  const clock = createVirtualClock();
  const scores = createPeerScores(clock);
  const answer = async (host: string, ms: number, times = 1) => {
    for (let i = 0; i < times; i++) {
      const asking = scores.asked(host);
      await clock.advance(ms);
      asking.answered();
    }
  };
  const give = async (host: string, bytes: number, ms: number) => {
    const ended = scores.takes(host);
    await clock.advance(ms);
    ended(bytes);
  };
  const better = () => (scores.isBetter(A, B) ? 'a' : scores.isBetter(B, A) ? 'b' : 'none');
  return { clock, scores, answer, give, better };
}

describe('isBetter()', () => {
  test('prefers no peer of which nothing is known, and one of which nothing is known to one that is slow', async () => {
    const { better, answer } = setUp();
    expect(better()).toBe('none');
    await answer(hostA, 30);
    expect(better()).toBe('b');
    await answer(hostB, 40);
    expect(better()).toBe('a');
  });

  test('prefers the peer that gives more bytes, whichever address of it gave them; short bodies tell nothing', async () => {
    const { better, answer, give } = setUp();
    await answer('fd00::1', 10);
    await answer(hostB, 9);
    await give('fd00::1', 100 * MIB, 1000);
    await give(hostB, 10 * MIB, 1000);
    await give(hostB, 1000, 1);
    expect(better()).toBe('a');
  });

  test('prefers the peer that has less to do, for this node and by its own word, which counts for a moment', async () => {
    const { clock, scores, better, answer } = setUp();
    await answer(hostA, 10);
    await answer(hostB, 11);
    const ended = scores.takes(hostA);
    expect(better()).toBe('b');
    ended(1);
    expect(better()).toBe('a');
    scores.loaded(hostA, 5);
    expect(better()).toBe('b');
    scores.loaded(hostB, 9);
    expect(better()).toBe('a');
    scores.loaded(hostB, 0);
    await clock.advance(UPLOADS_MEMORY_MS);
    expect(better()).toBe('a');
  });

  test('forgets what was measured, so that a peer that was slow is tried again', async () => {
    const { clock, better, answer } = setUp();
    await answer(hostA, 400);
    await clock.advance(SCORE_MEMORY_MS / 2);
    await answer(hostB, 10);
    expect(better()).toBe('b');
    await clock.advance(SCORE_MEMORY_MS / 2);
    expect(better()).toBe('a');
  });

  test('counts a failure as a slow answer, and a client that left as none', async () => {
    const { scores, better, answer } = setUp();
    await answer(hostA, 50);
    await answer(hostB, 60);
    scores.asked(hostB).dropped();
    expect(better()).toBe('a');
    scores.asked(hostA).failed();
    expect(better()).toBe('b');
  });
});

describe('lateAfterMs()', () => {
  test('is what nine of ten answers of the peer take, within bounds', async () => {
    const { scores, answer } = setUp();
    await answer(hostA, 30, 14);
    await answer(hostA, 60, 2);
    expect(scores.lateAfterMs(A)).toBe(60);
    await answer(hostA, 30, 1);
    await answer(hostA, 400, 1);
    expect(scores.lateAfterMs(A)).toBe(60);
    await answer(hostA, 1, 16);
    expect(scores.lateAfterMs(A)).toBe(HEDGE_FLOOR_MS);
    await answer(hostA, 5000, 16);
    expect(scores.lateAfterMs(A)).toBe(HEDGE_CEILING_MS);
  });

  test('is that of the slowest other peer while too little is known, and a constant while nothing is', async () => {
    const { scores, answer } = setUp();
    expect(scores.lateAfterMs(A)).toBe(HEDGE_COLD_MS);
    await answer(hostB, 70, 16);
    await answer(hostA, 30, 2);
    expect(scores.lateAfterMs(A)).toBe(70);
  });

  test('grows by answers that were not waited for', async () => {
    const { clock, scores, answer } = setUp();
    await answer(hostA, 1, 16);
    const seen: number[] = [];
    for (let i = 0; i < 12; i++) {
      const asking = scores.asked(hostA);
      await clock.advance(scores.lateAfterMs(A));
      asking.overtaken();
      seen.push(scores.lateAfterMs(A));
    }
    expect(seen.at(-1)).toBe(HEDGE_CEILING_MS);
  });
});
