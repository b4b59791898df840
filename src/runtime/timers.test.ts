import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { systemClock } from './clock.ts';
import { systemTimers } from './timers.ts';

describe('the timers and the clock of the machine', () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  beforeEach(() => {
    warnings.length = 0;
    process.on('warning', onWarning);
  });
  afterEach(() => void process.off('warning', onWarning));

  test.each([-5, 0, -Infinity])('take %d ms for a time that is over, without a word', async (ms) => {
    await systemClock.sleep(ms);
    await new Promise<void>((resolve) => {
      systemTimers.after(ms, resolve);
    });
    // Warnings come in a later turn.
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    expect(warnings).toEqual([]);
  });

  test.each([2 ** 31, 1e15, Infinity])('wait long for %d ms, and do not fire at once', async (ms) => {
    let fired = 0;
    const over = new AbortController();
    const sleeping = systemClock.sleep(ms, over.signal).then(
      () => {
        fired++;
      },
      () => {},
    );
    const cancel = systemTimers.after(ms, () => {
      fired++;
    });
    await systemClock.sleep(20);
    cancel();
    over.abort(new Error('The test is over'));
    await sleeping;
    expect(fired).toBe(0);
    expect(warnings).toEqual([]);
  });
});
