import { createContainerdStore } from '../../../src/containerd/containerd-store.ts';
import { silentLogger } from '../../../src/observe/log.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { testContentStore } from '../../../src/store/content-store.conformance.ts';
import { createPlainContainerd } from './plain-containerd.ts';

testContentStore('createContainerdStore() over a real containerd', async () => {
  const containerd = await createPlainContainerd();
  await containerd.start();
  const store = createContainerdStore({ clock: systemClock, logger: silentLogger }, containerd);
  return {
    store,
    putImage: (name, { manifest, blobs }) => containerd.importImage(name, manifest, blobs),
    removeImage: async (name) => void (await containerd.ctr(['images', 'rm', name])),
    putBlob: (bytes) => containerd.ingest(bytes),
    removeBlob: async (digest) => void (await containerd.ctr(['content', 'rm', digest])),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await containerd[Symbol.asyncDispose]();
    },
  };
});
