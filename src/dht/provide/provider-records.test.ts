import { describe, expect, test } from 'bun:test';

import { contentMultihash } from '../wire/content-key.ts';
import { createProviderRecords, type ProviderRecordsOptions } from './provider-records.ts';

const [ONE, TWO] = [contentMultihash('sha256:one'), contentMultihash('sha256:two')];

function setUp(options: ProviderRecordsOptions = {}) {
  let nowMs = 5_000_000;
  const records = createProviderRecords({ nowMs: () => nowMs }, options);
  return {
    records,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe('createProviderRecords()', () => {
  test('finds the providers of one content, and no others', () => {
    const { records } = setUp();
    for (const peer of ['A', 'B', 'C']) records.add(ONE, peer);
    records.add(TWO, 'A');
    expect(records.providersOf(ONE)).toEqual(['A', 'B', 'C']);
    expect(records.providersOf(TWO)).toEqual(['A']);
    expect(records.providersOf(contentMultihash('other'))).toEqual([]);
    expect([records.recordCount, records.contentCount, records.providerCount]).toEqual([4, 2, 3]);
  });

  test('takes a record once, and renews it', () => {
    const { records, pass } = setUp({ validityMs: 10_000 });
    records.add(ONE, 'A');
    records.add(TWO, 'B');
    records.add(TWO, 'A');
    pass(9000);
    records.add(ONE, 'A');
    records.add(TWO, 'A');
    pass(9000);
    expect(records.providersOf(ONE)).toEqual(['A']);
    expect(records.providersOf(TWO)).toEqual(['A']);
    expect(records.recordCount).toBe(3);
    records.sweep();
    expect(records.recordCount).toBe(2);
    expect(records.isProvider('B')).toBe(false);
  });

  test('names no peer whose record has faded, before any sweep', () => {
    const { records, pass } = setUp({ validityMs: 10_000 });
    records.add(ONE, 'A');
    pass(10_001);
    expect(records.providersOf(ONE)).toEqual([]);
  });

  test('remove() forgets one record, removeProvider() all of a peer', () => {
    const { records } = setUp();
    for (const content of [ONE, TWO]) for (const peer of ['A', 'B', 'C']) records.add(content, peer);
    records.remove(ONE, 'A');
    records.remove(ONE, 'A');
    records.remove(ONE, 'stranger');
    expect(records.providersOf(ONE)).toEqual(['B', 'C']);
    records.removeProvider('B');
    expect(records.providersOf(ONE)).toEqual(['C']);
    expect(records.providersOf(TWO)).toEqual(['A', 'C']);
    expect(records.recordCount).toBe(3);
    // It is back before the sweep: only what it says now counts.
    records.add(TWO, 'B');
    records.sweep();
    expect(records.providersOf(ONE)).toEqual(['C']);
    expect(records.providersOf(TWO)).toEqual(['A', 'C', 'B']);
    expect(records.recordCount).toBe(4);
  });

  test('gives the place of a peer that is gone to another peer', () => {
    const { records } = setUp();
    for (let round = 0; round < 50; round++) {
      records.add(ONE, `peer ${round}`);
      expect(records.providersOf(ONE)).toEqual([`peer ${round}`]);
      records.remove(ONE, `peer ${round}`);
    }
    expect([records.recordCount, records.contentCount, records.providerCount]).toEqual([0, 0, 0]);
  });

  test.each([
    ['empty', new Uint8Array(0)],
    ['too short', ONE.subarray(0, 33)],
    ['too long', Uint8Array.from([...ONE, 1])],
    ['another hash', Uint8Array.from([0x16, ...ONE.subarray(1)])],
  ])('refuses a key that is %s', (_name, key) => {
    const { records } = setUp();
    expect(records.add(key, 'A')).toBe(false);
    expect([records.recordCount, records.refusedCount]).toEqual([0, 1]);
  });

  test('holds no peer to more than its bound, and renews within it', () => {
    const { records } = setUp({ maxRecordsPerOwner: 2 });
    const added = ['a', 'b', 'c', 'a'].map((name) => records.add(contentMultihash(name), 'greedy'));
    expect(added).toEqual([true, true, false, true]);
    expect(records.add(contentMultihash('c'), 'modest')).toBe(true);
  });

  test('when it is full it takes from owners that hold most, and gives to owners that hold little', () => {
    const { records } = setUp({ maxRecords: 100, maxRecordsPerOwner: 100 });
    for (let index = 0; index < 150; index++) records.add(contentMultihash(`g${index}`), 'greedy');
    expect(records.recordCount).toBe(100);
    expect(records.add(contentMultihash('m'), 'modest')).toBe(true);
    expect(records.recordCount).toBe(51);
    for (let index = 0; index < 200; index++) records.add(contentMultihash(`n${index}`), `new ${index % 4}`);
    expect(records.recordCount).toBeLessThanOrEqual(100);
    expect(records.providersOf(contentMultihash('m'))).toEqual(['modest']);
    // Each owner has an equal part, as far as it has anything.
    expect(records.add(contentMultihash('g-more'), 'greedy')).toBe(false);
    expect(records.refusedCount).toBeGreaterThan(50);
  });

  test('gives one share to all peers of an owner', () => {
    const { records } = setUp({ maxRecords: 100 });
    const added = Array.from({ length: 50 }, (_, index) =>
      records.add(contentMultihash(`${index}`), `identity ${index % 5}`, () => '10.0.0.1'),
    );
    expect(added.filter(Boolean)).toHaveLength(20);
    expect(records.add(contentMultihash('m'), 'identity 9', () => '10.0.0.2')).toBe(true);
    // Peers that leave make room for peers that come, no more.
    for (let index = 0; index < 5; index++) records.removeProvider(`identity ${index}`);
    const again = Array.from({ length: 50 }, (_, index) =>
      records.add(contentMultihash(`again ${index}`), `later ${index % 5}`, () => '10.0.0.1'),
    );
    expect(again.filter(Boolean)).toHaveLength(20);
    expect(records.recordCount).toBe(21);
  });

  test('bounds records of the node itself by all that there is room for', () => {
    const { records } = setUp({ maxRecords: 100, self: 'self' });
    for (let index = 0; index < 90; index++) records.add(contentMultihash(`${index}`), 'self');
    for (let index = 0; index < 50; index++) records.add(contentMultihash(`o${index}`), 'other');
    expect(records.recordCount).toBe(100);
    for (let index = 0; index < 10; index++) {
      expect(records.add(contentMultihash(`late ${index}`), 'self')).toBe(true);
    }
    expect(records.providersOf(contentMultihash('0'))).toEqual(['self']);
  });

  test('holds no more for a peer that fills its share and leaves, over and over', () => {
    const { records } = setUp({ maxRecords: 100, maxRecordsPerOwner: 60 });
    records.add(contentMultihash('round 0, 0'), 'modest');
    for (let round = 0; round < 50; round++) {
      for (let index = 0; index < 60; index++) {
        expect(records.add(contentMultihash(`round ${round}, ${index}`), 'greedy')).toBe(true);
      }
      expect(records.recordCount).toBe(61);
      expect(records.contentCount).toBeLessThanOrEqual(121);
      records.removeProvider('greedy');
    }
    expect(records.recordCount).toBe(1);
    expect(records.providersOf(contentMultihash('round 0, 0'))).toEqual(['modest']);
    records.sweep();
    expect([records.contentCount, records.providerCount]).toEqual([1, 1]);
  });

  test('agrees with a plain model over many random changes', () => {
    const { records, pass } = setUp({ validityMs: 60_000 });
    const model = new Map<string, number>();
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * below);
    };
    let nowMs = 0;
    const contents = Array.from({ length: 20 }, (_, index) => contentMultihash(`content ${index}`));
    for (let step = 0; step < 5000; step++) {
      const content = random(contents.length);
      const peer = `P${random(12)}`;
      const multihash = contents[content] ?? ONE;
      const action = random(100);
      if (action < 60) {
        records.add(multihash, peer);
        model.set(`${content} ${peer}`, Math.floor(nowMs / 1000) * 1000);
      } else if (action < 90) {
        records.remove(multihash, peer);
        model.delete(`${content} ${peer}`);
      } else if (action < 94) {
        records.removeProvider(peer);
        for (const key of model.keys()) if (key.endsWith(` ${peer}`)) model.delete(key);
      } else if (action < 97) records.sweep();
      else {
        pass(3000);
        nowMs += 3000;
      }
      const expected = [...model].flatMap(([key, ms]) => {
        const [index, name] = key.split(' ');
        return Number(index) === content && ms + 60_000 >= nowMs ? [name ?? ''] : [];
      });
      expect(records.providersOf(multihash).toSorted()).toEqual(
        expected.toSorted((a, b) => (a < b ? -1 : 1)),
      );
    }
  });
});
