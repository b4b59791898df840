import { describe, expect, test } from 'bun:test';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createZoneOutages } from './zone-outages.ts';

describe('createZoneOutages()', () => {
  test('takes a zone as cut off when two nodes of it are silent, for a while', async () => {
    const clock = createVirtualClock();
    const outages = createZoneOutages(clock);
    outages.silent('a', 'n1', 100);
    outages.silent('a', 'n1', 100);
    outages.silent('b', 'n2', 100);
    expect([outages.isCut('a'), outages.isCut('b')]).toEqual([false, false]);
    outages.silent('a', 'n2', 100);
    expect([outages.isCut('a'), outages.isCut('b'), outages.isCut(undefined)]).toEqual([true, false, false]);
    await clock.advance(4000);
    expect(outages.isCut('a')).toBe(false);
  });

  test('believes a word of the zone, also one that came while the silent node was asked', async () => {
    const clock = createVirtualClock();
    const outages = createZoneOutages(clock);
    outages.silent('a', 'n1', 100);
    outages.silent('a', 'n2', 100);
    outages.heard('a');
    expect(outages.isCut('a')).toBe(false);
    await clock.advance(50);
    for (const node of ['n1', 'n2']) outages.silent('a', node, 51);
    expect(outages.isCut('a')).toBe(false);
    for (const node of ['n1', 'n2']) outages.silent('a', node, 50);
    expect(outages.isCut('a')).toBe(true);
  });

  test('tells those that wait for it', async () => {
    const outages = createZoneOutages(createVirtualClock());
    const told: string[] = [];
    const watch = (zone: string | undefined, name: string) => {
      const { cut, end } = outages.untilCut(zone);
      void cut.then(() => told.push(name));
      return end;
    };
    watch('a', 'first');
    watch('a', 'over')();
    watch('b', 'other zone');
    watch(undefined, 'no zone');
    outages.silent('a', 'n1', 0);
    await Promise.resolve();
    expect(told).toEqual([]);
    outages.silent('a', 'n2', 0);
    watch('a', 'later');
    await Promise.resolve();
    expect(told).toEqual(['first', 'later']);
  });

  test('remembers a bounded number of zones', () => {
    const outages = createZoneOutages(createVirtualClock());
    for (let n = 0; n < 100; n++) for (const node of ['n1', 'n2']) outages.silent(`z${n}`, node, 0);
    const cut = Array.from({ length: 100 }, (_, n) => outages.isCut(`z${n}`)).filter(Boolean);
    expect(cut).toHaveLength(32);
  });
});
