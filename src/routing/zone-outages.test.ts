import { describe, expect, test } from 'bun:test';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createZoneOutages } from './zone-outages.ts';

describe('createZoneOutages()', () => {
  test('takes a zone as cut off when two nodes of it are silent, for a while', async () => {
    const clock = createVirtualClock();
    const outages = createZoneOutages(clock);
    outages.silent('a', 'n1', { waitedMs: 100 });
    outages.silent('a', 'n1', { waitedMs: 100 });
    outages.silent('b', 'n2', { waitedMs: 100 });
    expect([outages.isCut('a'), outages.isCut('b')]).toEqual([false, false]);
    outages.silent('a', 'n2', { waitedMs: 100 });
    expect([outages.isCut('a'), outages.isCut('b'), outages.isCut(undefined)]).toEqual([true, false, false]);
    await clock.advance(4000);
    expect(outages.isCut('a')).toBe(false);
  });

  test('does not take a zone as cut off whose nodes may only be busy', async () => {
    const clock = createVirtualClock();
    const outages = createZoneOutages(clock);
    let isTold = false;
    void outages.untilCut('a').cut.then(() => (isTold = true));
    for (const node of ['n1', 'n2', 'n3']) outages.silent('a', node, { waitedMs: 100, mayBeBusy: true });
    expect(outages.isCut('a')).toBe(false);
    outages.silent('a', 'n1', { waitedMs: 200 });
    expect(outages.isCut('a')).toBe(true);
    await Promise.resolve();
    expect(isTold).toBe(true);
    // What is known of it is not forgotten.
    outages.silent('a', 'n1', { waitedMs: 100, mayBeBusy: true });
    expect(outages.isCut('a')).toBe(true);
  });

  test('believes a word of the zone, also one that came while the silent node was asked', async () => {
    const clock = createVirtualClock();
    const outages = createZoneOutages(clock);
    outages.silent('a', 'n1', { waitedMs: 100 });
    outages.silent('a', 'n2', { waitedMs: 100 });
    outages.heard('a');
    expect(outages.isCut('a')).toBe(false);
    await clock.advance(50);
    for (const node of ['n1', 'n2']) outages.silent('a', node, { waitedMs: 51 });
    expect(outages.isCut('a')).toBe(false);
    for (const node of ['n1', 'n2']) outages.silent('a', node, { waitedMs: 50 });
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
    outages.silent('a', 'n1', { waitedMs: 0 });
    await Promise.resolve();
    expect(told).toEqual([]);
    outages.silent('a', 'n2', { waitedMs: 0 });
    watch('a', 'later');
    await Promise.resolve();
    expect(told).toEqual(['first', 'later']);
  });

  test('remembers a bounded number of zones', () => {
    const outages = createZoneOutages(createVirtualClock());
    for (let n = 0; n < 100; n++) {
      for (const node of ['n1', 'n2']) outages.silent(`z${n}`, node, { waitedMs: 0 });
    }
    const cut = Array.from({ length: 100 }, (_, n) => outages.isCut(`z${n}`)).filter(Boolean);
    expect(cut).toHaveLength(32);
  });
});
