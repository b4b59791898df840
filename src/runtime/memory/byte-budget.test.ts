import { expect, test } from 'bun:test';
import { createVirtualClock } from '../testing/virtual-clock.ts';
import { createByteBudget } from './byte-budget.ts';

const NEVER = new AbortController().signal;

test('createByteBudget() gives what is free, in order, and lets the others wait', async () => {
  const clock = createVirtualClock();
  const budget = createByteBudget(clock, 100);
  const got: string[] = [];
  const take = async (name: string, sizeBytes: number, signal = NEVER) => {
    const taken = await budget.take(sizeBytes, { waitMs: 1000, signal });
    got.push(`${name} ${taken === undefined ? 'nothing' : 'got it'}`);
    return taken;
  };
  const first = await take('first', 60);
  const large = take('large', 80);
  const small = take('small', 30);
  await clock.advance(500);
  expect(got).toEqual(['first got it']);
  first?.release();
  first?.release();
  await clock.advance(0);
  expect(got).toEqual(['first got it', 'large got it']);
  (await large)?.release();
  await clock.advance(0);
  expect(got.at(-1)).toBe('small got it');
  (await small)?.release();
  (await take('all', 100))?.release();
});

test('createByteBudget() gives nothing after the time, when aborted, or to what is larger than all of it', async () => {
  const clock = createVirtualClock();
  const budget = createByteBudget(clock, 100);
  const stop = new AbortController();
  const held = await budget.take(90, { waitMs: 1000, signal: NEVER });
  const late = budget.take(50, { waitMs: 1000, signal: NEVER });
  const aborted = budget.take(50, { waitMs: 1000, signal: stop.signal });
  const behind = budget.take(10, { waitMs: 3000, signal: NEVER });
  stop.abort();
  expect(await aborted).toBeUndefined();
  expect(await budget.take(1, { waitMs: 1000, signal: stop.signal })).toBeUndefined();
  expect(await budget.take(101, { waitMs: 1000, signal: NEVER })).toBeUndefined();
  await clock.advance(1000);
  expect(await late).toBeUndefined();
  // It waited behind what was too large for the moment.
  expect(await behind).toBeDefined();
  held?.release();
});
