import { describe, expect, test } from 'bun:test';

import { digestOf } from '../oci/digest.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createTower } from './tower.ts';

const digest = digestOf(Buffer.from('layer'));
const other = (number: number) => digestOf(Buffer.from(`other ${number}`));
const question = { digest, leader: undefined, bad: [], full: [] };

function start() {
  const clock = createVirtualClock();
  return {
    clock,
    tower: createTower({
      clock,
      holdersOf: () => [],
      isThere: () => true,
      wasThere: () => true,
      zoneOf: () => undefined,
      isPausing: () => false,
    }),
  };
}

describe('createTower()', () => {
  test('forgets a flight of which nothing is heard for a minute', async () => {
    const { clock, tower } = start();
    expect(tower.ask('A', question)).toEqual({ verdict: 'upstream' });
    await clock.advance(61_000);
    expect(tower.flights()).toEqual([]);
    expect(tower.ask('B', question)).toEqual({ verdict: 'upstream' });
    expect(tower.flights().map(({ members }) => members.map(({ id }) => id))).toEqual([['B']]);
  });

  test('keeps the flights of others when a node asks for thousands of digests', () => {
    const { tower } = start();
    tower.ask('A', question);
    for (let number = 0; number < 5000; number++) tower.ask('liar', { ...question, digest: other(number) });
    expect(tower.ask('B', question)).toEqual({ verdict: 'take', from: 'A', leader: 'A' });
    expect(tower.flights().length).toBeLessThanOrEqual(2000);
  });
});
