import { expect, test } from 'bun:test';

import { createVirtualTime } from './virtual-time.ts';

test('pass() does what is due in its order, and what follows from it', async () => {
  const time = createVirtualTime();
  const done: string[] = [];
  const note = (text: string) => () => done.push(`${text}@${time.nowMs()}`);
  time.after(20, note('b'));
  time.after(10, note('a'));
  time.after(20, note('c'));
  const cancel = time.after(15, note('never'));
  cancel();
  void (async () => {
    const { clock } = time.ofProcess(() => false);
    await clock.sleep(12);
    note('slept')();
    await clock.sleep(5);
    note('slept again')();
  })();
  await time.pass(30);
  expect(done).toEqual(['a@10', 'slept@12', 'slept again@17', 'b@20', 'c@20']);
  expect(time.nowMs()).toBe(30);
});

test('ofProcess() wakes nobody whose process is gone', async () => {
  const time = createVirtualTime();
  let isGone = false;
  let isAwake = false;
  const { clock } = time.ofProcess(() => isGone);
  void clock.sleep(10).then(() => {
    isAwake = true;
  });
  isGone = true;
  await time.pass(20);
  expect(isAwake).toBe(false);
});

test('pass() keeps a thousand events in order', async () => {
  const time = createVirtualTime();
  const seen: number[] = [];
  for (let index = 0; index < 1000; index++) {
    const ms = (index * 7919) % 1000;
    time.after(ms, () => seen.push(ms));
  }
  await time.pass(1000);
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(seen).toHaveLength(1000);
});
