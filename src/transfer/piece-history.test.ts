import { expect, test } from 'bun:test';
import { digestOf } from '../oci/digest.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createPieceHistory } from './piece-history.ts';

const DIGEST = digestOf(Buffer.from('a'));

test('createPieceHistory() knows whether a blob is asked for by one request, and whether a holder gives it', () => {
  const history = createPieceHistory(createVirtualClock());
  const first = history.begin(DIGEST, 0);
  expect([history.isAlone(DIGEST), history.isHeld(DIGEST)]).toEqual([true, false]);
  const second = history.begin(DIGEST, 0);
  second.isHeld = true;
  expect([history.isAlone(DIGEST), history.isHeld(DIGEST)]).toEqual([false, true]);
  second[Symbol.dispose]();
  expect([history.isAlone(DIGEST), history.isHeld(DIGEST)]).toEqual([true, false]);
  first[Symbol.dispose]();
  expect(history.isAlone(DIGEST)).toBe(true);
});

test('createPieceHistory() tries pieces again after a while, and for holders that are much slower', async () => {
  const clock = createVirtualClock();
  const history = createPieceHistory(clock);
  expect(history.mayHelp(100)).toBe(true);
  history.wereInVain(100);
  expect([history.mayHelp(100), history.mayHelp(60), history.mayHelp(40)]).toEqual([false, false, true]);
  await clock.advance(20_000);
  expect(history.mayHelp(100)).toBe(true);
});

test('createPieceHistory() waits longer each time that pieces were in vain, and less again once they were good', async () => {
  const clock = createVirtualClock();
  const history = createPieceHistory(clock);
  const waitS = async () => {
    history.wereInVain(100);
    let seconds = 0;
    for (; !history.mayHelp(100); seconds++) await clock.advance(1000);
    return seconds;
  };
  const waits: number[] = [];
  for (let n = 0; n < 7; n++) waits.push(await waitS());
  expect(waits).toEqual([20, 40, 80, 160, 320, 600, 600]);
  history.wereGood();
  expect(await waitS()).toBe(20);
});

test('createPieceHistory() divides twelve pieces among at most three bodies', () => {
  const history = createPieceHistory(createVirtualClock());
  const bodies = Array.from({ length: 3 }, () => history.goOnInPieces());
  expect(bodies.map((body) => body?.maxPieces)).toEqual([4, 4, 4]);
  expect(history.goOnInPieces()).toBeUndefined();
  bodies[0]?.[Symbol.dispose]();
  bodies[0]?.[Symbol.dispose]();
  expect(bodies[1]?.maxPieces).toBe(6);
  expect(history.goOnInPieces()).toBeDefined();
});

test('createPieceHistory() knows where each of several requests side by side will be left', () => {
  const history = createPieceHistory(createVirtualClock());
  const STEP = 4_000_000;
  const first = history.begin(DIGEST, 0);
  expect(first.part()).toBeUndefined();
  const third = history.begin(DIGEST, 2 * STEP);
  const second = history.begin(DIGEST, STEP);
  const other = history.begin(DIGEST, undefined);
  expect(second.part()).toEqual({ start: STEP, end: 2 * STEP - 1 });
  expect(third.part()).toEqual({ start: 2 * STEP, end: 3 * STEP - 1 });
  expect(other.part()).toBeUndefined();
  for (const request of [first, third]) request[Symbol.dispose]();
  expect(second.part()).toBeUndefined();
});
