import { expect, test } from 'bun:test';
import { shareResult, type ShareResultOptions } from './share-result.ts';
import { createVirtualClock } from './testing/virtual-clock.ts';

function setUp(tookMs: number, options?: ShareResultOptions) {
  const clock = createVirtualClock();
  let made = 0;
  const ask = shareResult(
    clock,
    async () => {
      const number = ++made;
      await clock.sleep(tookMs);
      if (number === 1 && tookMs === 7) throw new Error('It failed');
      return number;
    },
    options,
  );
  return { ask, clock };
}

test('shareResult() makes one result for those who ask at the same time, and for those who ask shortly after', async () => {
  const { ask, clock } = setUp(20);
  const asked = [ask(), ask()];
  await clock.advance(10);
  asked.push(ask());
  await clock.advance(10);
  expect(await Promise.all(asked)).toEqual([1, 1, 1]);
  await clock.advance(199);
  expect(await ask()).toBe(1);
  await clock.advance(1);
  const next = ask();
  await clock.advance(20);
  expect(await next).toBe(2);
});

test('shareResult() keeps no result for more than a second, and none that took no time', async () => {
  const slow = setUp(5000);
  const first = slow.ask();
  await slow.clock.advance(5000);
  expect(await first).toBe(1);
  await slow.clock.advance(1000);
  const second = slow.ask();
  await slow.clock.advance(5000);
  expect(await second).toBe(2);
  const quick = setUp(0);
  const one = quick.ask();
  await quick.clock.advance(0);
  expect(await one).toBe(1);
  const two = quick.ask();
  await quick.clock.advance(0);
  expect(await two).toBe(2);
});

test('shareResult() keeps nothing where it is told so', async () => {
  const { ask, clock } = setUp(20, { isKept: false });
  const asked = [ask(), ask()];
  await clock.advance(20);
  expect(await Promise.all(asked)).toEqual([1, 1]);
  const next = ask();
  await clock.advance(20);
  expect(await next).toBe(2);
});

test('shareResult() tells those who have asked that it failed, and tries again for the next', async () => {
  const { ask, clock } = setUp(7);
  const failed = Promise.allSettled([ask(), ask()]);
  await clock.advance(7);
  expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const next = ask();
  await clock.advance(7);
  expect(await next).toBe(2);
});
