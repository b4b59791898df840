import { expect, test } from 'bun:test';

import { LAG_CHECK_MS } from './budgets.ts';
import { watchLag } from './lag-watch.ts';

const PACE = { everyMs: 500, judge: () => undefined, ended: () => {} };
/** Judges a body that waits for its node for so long, and gets 10 bytes per ms. */
async function judge(waitedMs: number, isBehind: boolean) {
  const asked: number[] = [];
  const pace = watchLag(PACE, {
    fromByte: 1000,
    lags: async (atByte) => {
      asked.push(atByte);
      return isBehind;
    },
  });
  const reasons = new Set<string | undefined>();
  for (let ms = 0; ms <= waitedMs; ms += 500) {
    reasons.add(pace.judge({ waitedMs: ms, movedBytes: 10 * ms }));
    await Bun.sleep(0);
  }
  return { asked, isSlow: reasons.has('slow') };
}

test.each([
  ['lags behind others', 2 * LAG_CHECK_MS, true, 1, true],
  ['is as slow as upstream', 2 * LAG_CHECK_MS, false, 2, false],
  ['is over soon', LAG_CHECK_MS - 500, true, 0, false],
])('watchLag() of a node that %s', async (_, waitedMs, isBehind, questions, isSlow) => {
  const judged = await judge(waitedMs, isBehind);
  expect([judged.asked.length, judged.isSlow]).toEqual([questions, isSlow]);
  if (questions > 0) expect(judged.asked[0]).toBe(1000 + 10 * LAG_CHECK_MS);
});

test('watchLag() goes on to judge by the pace itself', () => {
  const pace = watchLag({ ...PACE, judge: () => 'stalled' }, { fromByte: 0, lags: async () => false });
  expect(pace.judge({ waitedMs: 0, movedBytes: 0 })).toBe('stalled');
});
