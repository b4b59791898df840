import { expect, test } from 'bun:test';
import { createDeadline, DeadlineExceededError } from './deadline.ts';
import { createVirtualClock } from './testing/virtual-clock.ts';

test('createDeadline() aborts when the time is over', async () => {
  const clock = createVirtualClock();
  using deadline = createDeadline(clock, 100);
  await clock.advance(99);
  expect(deadline.signal.aborted).toBe(false);
  await clock.advance(1);
  expect(deadline.signal.reason).toBeInstanceOf(DeadlineExceededError);
});

test('createDeadline() aborts with its parent, with its reason, also when that is aborted already', () => {
  const clock = createVirtualClock();
  const parent = new AbortController();
  using deadline = createDeadline(clock, 100, parent.signal);
  parent.abort(new Error('parent'));
  expect(deadline.signal.reason).toEqual(new Error('parent'));
  using late = createDeadline(clock, 100, parent.signal);
  expect(late.signal.aborted).toBe(true);
});

test('createDeadline() does not abort once it is disposed', async () => {
  const clock = createVirtualClock();
  const deadline = createDeadline(clock, 100);
  deadline[Symbol.dispose]();
  await clock.advance(1000);
  expect(deadline.signal.aborted).toBe(false);
});
