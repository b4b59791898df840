import { describe, expect, test } from 'bun:test';

import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { LAG_CHECK_MS, LAG_SUSPECT_CHECK_MS } from './budgets.ts';
import { createLagWatch } from './lag-watch.ts';

const PACE = { everyMs: 500, judge: () => undefined, ended: () => {} };
const STEP_MS = 250;
const [A, B] = [{ name: 'A' }, { name: 'B' }];

/** A request whose questions about its node are all answered like that. */
function start({ isBehind = false, isSuspect = false } = {}) {
  const clock = createVirtualClock();
  const asked: (readonly [string, number])[] = [];
  const watch = createLagWatch<typeof A>({
    clock,
    lags: async ({ name }, atByte) => {
      asked.push([name, atByte]);
      return isBehind;
    },
    isSuspect: () => isSuspect,
  });
  return {
    asked,
    clock,
    watch,
    /** A body from the byte on that waits for its node for so long, and gets 10 bytes per ms. Returns the reasons to end it. */
    body: async (node: typeof A, fromByte: number, forMs: number) => {
      const pace = watch.watch(PACE, node, fromByte);
      const reasons = new Set<string>();
      for (let ms = STEP_MS; ms <= forMs; ms += STEP_MS) {
        await clock.advance(STEP_MS);
        reasons.add(pace.judge({ waitedMs: ms, movedBytes: 10 * ms }) ?? 'none');
      }
      pace.ended(10 * forMs);
      return [...reasons];
    },
    /** So long without a body. Returns whether it is over because of that. */
    pause: async (node: typeof A, atByte: number, forMs: number) => {
      let isOver = false;
      for (let ms = STEP_MS; ms <= forMs; ms += STEP_MS) {
        await clock.advance(STEP_MS);
        isOver ||= await watch.waits(node, atByte);
      }
      return isOver;
    },
  };
}

describe('createLagWatch()', () => {
  test.each([
    ['lags behind others', 2 * LAG_CHECK_MS, true, 1, true],
    ['is as slow as upstream', 2 * LAG_CHECK_MS, false, 2, false],
    ['is over soon', LAG_CHECK_MS - STEP_MS, true, 0, false],
  ])('a body of a node that %s', async (_, waitedMs, isBehind, questions, isSlow) => {
    const { asked, body } = start({ isBehind });
    expect([(await body(A, 1000, waitedMs)).includes('slow'), asked.length]).toEqual([isSlow, questions]);
    if (questions > 0) expect(asked[0]).toEqual(['A', 1000 + 10 * LAG_CHECK_MS]);
  });

  test('counts the bodies of a node that stand still again and again, and the time between, as one', async () => {
    const { asked, body, pause } = start();
    const third = Math.floor(LAG_CHECK_MS / 3 / STEP_MS) * STEP_MS;
    await body(A, 0, third);
    await pause(A, 100, third);
    await body(A, 200, third);
    expect(asked).toEqual([]);
    await body(A, 300, 2 * STEP_MS);
    expect(asked).toHaveLength(1);
  });

  test('asks in the time without a body, too', async () => {
    const { asked, pause } = start({ isBehind: true });
    expect(await pause(A, 7, LAG_CHECK_MS - STEP_MS)).toBe(false);
    expect(await pause(A, 7, 2 * STEP_MS)).toBe(true);
    expect(asked).toEqual([['A', 7]]);
  });

  test('another node has its own time', async () => {
    const { asked, body } = start();
    for (const node of [A, B, A, B]) await body(node, 0, LAG_CHECK_MS - STEP_MS);
    expect(asked).toEqual([]);
  });

  test('asks sooner about a node that was slow for another request', async () => {
    const { asked, body } = start({ isSuspect: true });
    await body(A, 0, LAG_SUSPECT_CHECK_MS);
    expect(asked).toHaveLength(1);
  });

  test('goes on to judge by the pace itself', () => {
    const { watch } = start();
    const pace = watch.watch({ ...PACE, judge: () => 'stalled' }, A, 0);
    expect(pace.judge({ waitedMs: 0, movedBytes: 0 })).toBe('stalled');
  });
});
