import { expect, test } from 'bun:test';
import { atTurnEnd } from './turn-end.ts';

test('atTurnEnd() calls all work once, in order, after what this turn does', async () => {
  const done: string[] = [];
  atTurnEnd(() => {
    done.push('first');
    atTurnEnd(() => done.push('third'));
  });
  atTurnEnd(() => done.push('second'));
  await Promise.resolve();
  expect(done).toEqual([]);
  await new Promise(setImmediate);
  expect(done).toEqual(['first', 'second', 'third']);
  atTurnEnd(() => done.push('fourth'));
  await new Promise(setImmediate);
  expect(done).toHaveLength(4);
});
