import { writeFile } from 'node:fs/promises';
import type { Digest } from '../../../src/oci/digest.ts';
import type { ContentStore } from '../../../src/store/content-store.ts';
import { createDownloadState } from '../../../src/store/download-state.ts';
import { createStoreEventQueue, type StoreEventQueue } from '../../../src/store/store-event-queue.ts';
import { createStoreState } from '../../../src/store/store-state.ts';

/** A ContentStore of digests alone: all of them have the same bytes, so that a thousand cost no more than one. */
export interface BenchStore extends ContentStore {
  add(digests: readonly Digest[]): void;
  remove(digests: readonly Digest[]): void;
}

const BYTES = Buffer.from('the bytes of every blob of this node');

/** A store that tells its watchers of changes as containerd's does. `path` is the one file behind all digests. */
export async function createBenchStore(path: string, digests: readonly Digest[]): Promise<BenchStore> {
  await writeFile(path, BYTES);
  const queues = new Set<StoreEventQueue>();
  const state = createStoreState((change) => {
    for (const queue of queues) queue.push(change);
  });
  const add = (added: readonly Digest[]) => {
    for (const digest of added) state.addBlob(digest, BYTES.length);
  };
  add(digests);
  return {
    downloads: createDownloadState().downloads,
    add,
    remove(removed) {
      for (const digest of removed) state.removeBlob(digest);
    },
    resolve: async () => undefined,
    stat: async (digest) =>
      state.blobs.has(digest) ? { digest, sizeBytes: BYTES.length, path, stamp: 0 } : undefined,
    read: async (digest) => (state.blobs.has(digest) ? BYTES : undefined),
    references: (digest) => state.references(digest),
    registriesOf: (repository, tag) => state.registriesOf(repository, tag),
    hasRegistry: (registry) => state.hasRegistry(registry),
    list: async () => state.snapshot(),
    async *watch(signal) {
      const queue = createStoreEventQueue(() => state.snapshot());
      queue.resync();
      queues.add(queue);
      try {
        yield* queue.read(signal);
      } finally {
        queues.delete(queue);
      }
    },
  };
}
