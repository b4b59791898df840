import { describe, expect, test } from 'bun:test';
import { Key } from 'interface-datastore';

import { contentCid } from './content-key.ts';
import { createProviderDatastore, type ProviderDatastore } from './provider-datastore.ts';

const ONE = contentCid('sha256:one').multihash.bytes;
const TWO = contentCid('sha256:two').multihash.bytes;

async function keys(store: ProviderDatastore, prefix: string): Promise<string[]> {
  const found = await Array.fromAsync(store.query({ prefix }));
  return found.map(({ key }) => key.toString());
}

async function prefixOf(multihash: Uint8Array): Promise<string> {
  const store = createProviderDatastore();
  store.addRecord(multihash, 'P');
  const [key = ''] = await keys(store, '/dht/provider');
  return key.slice(0, -2);
}

describe('createProviderDatastore()', () => {
  test('finds the records of one key, and those only', async () => {
    const store = createProviderDatastore();
    store.addRecord(ONE, 'A');
    store.addRecord(ONE, 'B');
    store.addRecord(TWO, 'A');
    const prefix = await prefixOf(ONE);
    expect(await keys(store, prefix)).toEqual([`${prefix}/A`, `${prefix}/B`]);
    expect(store.providersOf(ONE)).toEqual(['A', 'B']);
    expect(store.providersOf(TWO)).toEqual(['A']);
    expect(await keys(store, `${prefix}x`)).toEqual([]);
    expect(await keys(store, '/dht/provider')).toHaveLength(3);
    expect(await keys(store, '/peers/')).toEqual([]);
  });

  test('keeps other entries apart from records', async () => {
    const store = createProviderDatastore();
    await store.put(new Key('/peers/x'), Uint8Array.of(1));
    store.addRecord(ONE, 'A');
    expect(await keys(store, '/peers/')).toEqual(['/peers/x']);
    expect(await store.get(new Key('/peers/x'))).toEqual(Uint8Array.of(1));
    expect(() => store.get(new Key('/peers/y'))).toThrow(expect.objectContaining({ name: 'NotFoundError' }));
    await store.delete(new Key('/peers/x'));
    expect(await store.has(new Key('/peers/x'))).toBe(false);
  });

  test('round-trips the time of a record through the datastore interface', async () => {
    const store = createProviderDatastore();
    store.addRecord(ONE, 'A');
    const key = new Key(`${await prefixOf(ONE)}/A`);
    const value = await store.get(key);
    await store.put(key, value);
    expect(await store.get(key)).toEqual(value);
    expect(store.recordCount).toBe(1);
    await store.delete(key);
    expect(store.recordCount).toBe(0);
    expect(store.isProvider('A')).toBe(false);
  });

  test('does not give out a record that has faded, and sweeps it', async () => {
    let nowMs = 1_000_000;
    const store = createProviderDatastore({ validityMs: 1000, now: () => nowMs });
    store.addRecord(ONE, 'A');
    nowMs += 600;
    store.addRecord(TWO, 'A');
    nowMs += 600;
    expect(await keys(store, await prefixOf(ONE))).toEqual([]);
    expect(await keys(store, '/dht/provider')).toHaveLength(1);
    store.sweep();
    expect(store.recordCount).toBe(1);
  });

  test('refuses records beyond its bounds and goes on renewing those that it has', () => {
    const store = createProviderDatastore({ maxRecords: 3, maxRecordsPerProvider: 2 });
    for (const name of ['a', 'b', 'c']) store.addRecord(contentCid(name).multihash.bytes, 'greedy');
    expect(store.recordCount).toBe(2);
    expect(store.refusedCount).toBe(1);
    for (const name of ['a', 'b', 'c']) store.addRecord(contentCid(name).multihash.bytes, 'modest');
    expect(store.recordCount).toBe(3);
    store.addRecord(contentCid('a').multihash.bytes, 'greedy');
    expect(store.refusedCount).toBe(3);
    store.removeRecord(contentCid('a').multihash.bytes, 'greedy');
    store.addRecord(contentCid('d').multihash.bytes, 'greedy');
    expect(store.recordCount).toBe(3);
  });
});
