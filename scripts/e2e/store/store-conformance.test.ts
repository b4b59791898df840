import { expect } from 'bun:test';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createContainerdStore } from '../../../src/containerd/containerd-store.ts';
import { silentLogger } from '../../../src/observe/log.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { testContentStore } from '../../../src/store/content-store.conformance.ts';
import { createPlainContainerd } from './plain-containerd.ts';
import { createSlowRegistry } from './slow-registry.ts';

testContentStore('createContainerdStore() over a real containerd', async () => {
  const containerd = await createPlainContainerd();
  await containerd.start();
  const registry = createSlowRegistry();
  const store = createContainerdStore({ clock: systemClock, logger: silentLogger }, containerd);
  return {
    store,
    putImage: (name, { manifest, blobs }) => containerd.importImage(name, manifest, blobs),
    removeImage: async (name) => void (await containerd.ctr(['images', 'rm', name])),
    putBlob: (bytes) => containerd.ingest(bytes),
    removeBlob: async (digest) => void (await containerd.ctr(['content', 'rm', digest])),
    async startDownload(digest, { sizeBytes, kind = 'layer' }) {
      // As containerd's garbage collection does it, a day later.
      const remove = async () => {
        const folder = dirname(store.downloads.get(digest)?.path ?? '');
        expect(folder).toStartWith(containerd.contentPath);
        await rm(folder, { recursive: true, force: true });
      };
      if (kind !== 'layer' || sizeBytes === 0) {
        const ingest = containerd.startIngest(`${kind}-${digest}`, digest, sizeBytes);
        return {
          write: (bytes) => ingest.send(bytes),
          giveUp: () => ingest.kill(),
          takeUp: () => Promise.reject(new Error('ctr cannot go on with what it reads from a pipe')),
          commit: () => ingest.end(),
          remove,
        };
      }
      const image = registry.addImage({ digest, sizeBytes });
      let pull = containerd.startPull(image.name);
      return {
        write: async (bytes) => image.send(bytes),
        giveUp: () => pull.cancel(),
        async takeUp() {
          pull = containerd.startPull(image.name);
        },
        commit: () => pull.end(),
        remove,
      };
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
      await containerd[Symbol.asyncDispose]();
    },
  };
});
