import { expect, test } from 'bun:test';

import { digestOf } from '../oci/digest.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { followDownload } from './follow-download.ts';

const BLOB = Buffer.from('a layer');
const digest = digestOf(BLOB);

const led = { isToCome: () => false };

test.each([
  ['asked this mirror for', true],
  ['did not ask this mirror for: it may be of an image that is not shared', false],
])("followDownload() of what this node's client %s", async (_, isWanted) => {
  await using store = await createMemoryStore();
  const download = await store.beginDownload(digest, { sizeBytes: BLOB.byteLength });
  await download.grow(BLOB.subarray(0, 3));
  const own = {
    isPromised: () => isWanted,
    isWanted: () => isWanted,
    isStuck: () => false,
    onEnd: () => () => {},
  };
  const followed = followDownload({ store, own, led }, digest);
  expect(followed !== undefined).toBe(isWanted);
});

test.each<readonly [string, boolean, boolean, 'waiting' | undefined]>([
  ['a layer of an image that this node leads', false, true, 'waiting'],
  ['what its client has just asked for', true, false, 'waiting'],
  ['anything else', false, false, undefined],
])('followDownload() before there is a download of %s', async (_, isWanted, isToCome, followed) => {
  await using store = await createMemoryStore();
  const own = {
    isPromised: () => false,
    isWanted: () => isWanted,
    isStuck: () => false,
    onEnd: () => () => {},
  };
  expect(followDownload({ store, own, led: { isToCome: () => isToCome } }, digest)).toBe(followed);
});

test.each([
  ['committed', BLOB.byteLength, false],
  ['removed', 3, true],
] as const)(
  'followDownload() of a download that is %s waits for the end of its own flight',
  async (how, writtenBytes, isOver) => {
    await using store = await createMemoryStore();
    const download = await store.beginDownload(digest, { sizeBytes: BLOB.byteLength });
    await download.grow(BLOB.subarray(0, 3));
    let isPromised = true;
    const ends = new Set<(ended: typeof digest, isThere: boolean) => void>();
    const own = {
      isPromised: () => isPromised,
      isWanted: () => isPromised,
      isStuck: () => false,
      onEnd(listener: (ended: typeof digest, isThere: boolean) => void) {
        ends.add(listener);
        return () => void ends.delete(listener);
      },
    };
    const followed = followDownload({ store, own, led }, digest);
    if (typeof followed !== 'object') throw new Error('Nothing to follow');
    const unsubscribe = followed.subscribe(() => {});
    if (how === 'committed') {
      await download.grow(BLOB.subarray(3));
      await download.commit();
    } else await download.remove();
    await Bun.sleep(0);
    expect(followed.isOver).toBe(false);
    isPromised = false;
    for (const listener of ends) listener(digest, how === 'committed');
    await Bun.sleep(0);
    expect([followed.writtenBytes, followed.isOver]).toEqual([writtenBytes, isOver]);
    unsubscribe();
    expect(ends.size).toBe(0);
  },
);
