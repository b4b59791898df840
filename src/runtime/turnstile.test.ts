import { describe, expect, test } from 'bun:test';
import { createTurnstile } from './turnstile.ts';

const nextTurn = async () => new Promise<void>((resolve) => setImmediate(resolve));

describe('createTurnstile()', () => {
  test('lets so many through in a turn, the others in order in the next ones', async () => {
    const turnstile = createTurnstile(2);
    const through: number[] = [];
    for (let n = 0; n < 5; n++) void turnstile.pass().then(() => through.push(n));
    await Promise.resolve();
    await Promise.resolve();
    expect(through).toEqual([0, 1]);
    const seen: number[] = [];
    for (let turn = 0; turn < 3; turn++) {
      await nextTurn();
      seen.push(through.length);
    }
    // This test's own turn may come before or after that of the turnstile.
    expect(seen.at(-1)).toBe(5);
    expect(seen[0]).toBeLessThanOrEqual(4);
    expect(through).toEqual([0, 1, 2, 3, 4]);
  });

  test('lets who comes alone through at once, each time', async () => {
    const turnstile = createTurnstile(1);
    for (let count = 0; count < 3; count++) {
      let isThrough = false;
      void turnstile.pass().then(() => {
        isThrough = true;
      });
      await Promise.resolve();
      await Promise.resolve();
      expect(isThrough).toBe(true);
      await nextTurn();
      await nextTurn();
    }
  });
});
