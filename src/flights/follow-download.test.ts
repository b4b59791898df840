import { expect, test } from 'bun:test';

import { digestOf } from '../oci/digest.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { followDownload } from './follow-download.ts';

const BLOB = Buffer.from('a layer');
const digest = digestOf(BLOB);

test.each([
  ['asked this mirror for', true],
  ['did not ask this mirror for: it may be of an image that is not shared', false],
])("followDownload() of what this node's client %s", async (_, isPromised) => {
  await using store = await createMemoryStore();
  const download = await store.beginDownload(digest, { sizeBytes: BLOB.byteLength });
  await download.grow(BLOB.subarray(0, 3));
  const own = { isPromised: () => isPromised, isStuck: () => false, onEnd: () => () => {} };
  const followed = followDownload({ store, own, clock: createVirtualClock() }, digest);
  expect(followed !== undefined).toBe(isPromised);
});
