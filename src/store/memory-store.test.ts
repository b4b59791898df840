import { expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { digestOf } from '../oci/digest.ts';
import { StoreUnavailableError } from './content-store.ts';
import { rejection, testContentStore } from './content-store.conformance.ts';
import { createMemoryStore } from './memory-store.ts';

testContentStore('createMemoryStore()', async () => {
  const store = await createMemoryStore();
  return {
    store,
    async putImage(name, { manifest, blobs }) {
      for (const bytes of [...blobs, manifest]) await store.addBlob(bytes);
      store.addImage(name, digestOf(manifest));
    },
    removeImage: async (name) => store.removeImage(name),
    putBlob: async (bytes) => void (await store.addBlob(bytes)),
    removeBlob: (digest) => store.removeBlob(digest),
    async startDownload(digest, { sizeBytes }) {
      const download = await store.beginDownload(digest, sizeBytes === 0 ? {} : { sizeBytes });
      return {
        ...download,
        write: (bytes) => download.grow(bytes),
        giveUp: async () => download.giveUp(),
        takeUp: () => download.takeUp(),
      };
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
});

test('createMemoryStore() removes its files when it is disposed', async () => {
  const store = await createMemoryStore();
  const blob = await store.stat(await store.addBlob(new Uint8Array([1])));
  expect(existsSync(blob?.path ?? '')).toBe(true);
  await store[Symbol.asyncDispose]();
  expect(existsSync(blob?.path ?? '')).toBe(false);
});

test('setAvailable() makes the store act as if its backend were away', async () => {
  await using store = await createMemoryStore();
  const digest = await store.addBlob(new Uint8Array([1]));
  store.addImage('registry.test/app:v1', digest);
  store.setAvailable(false);
  expect(await rejection(store.list())).toBeInstanceOf(StoreUnavailableError);
  expect(await rejection(store.resolve('registry.test', 'app', 'v2'))).toBeInstanceOf(StoreUnavailableError);
  expect(await store.resolve('registry.test', 'app', 'v1')).toBe(digest);
  expect((await store.stat(digest))?.sizeBytes).toBe(1);
});
