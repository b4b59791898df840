import { lstatSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, digestOf, splitDigest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { parseReference } from '../oci/reference.ts';
import { routingKey } from '../oci/routing-key.ts';
import { copyBytes } from '../runtime/copy-bytes.ts';
import { fileState } from '../runtime/file-stamp.ts';
import { type ContentStore, StoreUnavailableError } from './content-store.ts';
import {
  createMemoryDownloads,
  type MemoryDownload,
  type MemoryDownloadOptions,
} from './memory-downloads.ts';
import { createStoreEventQueue, type StoreEventQueue } from './store-event-queue.ts';
import { createStoreState } from './store-state.ts';

/** A ContentStore for tests, with handles on what it holds. Disposing it removes its files. */
export interface MemoryStore extends ContentStore, AsyncDisposable {
  /** Adds a blob; adding it again changes nothing. */
  addBlob(bytes: Uint8Array): Promise<Digest>;
  /** Removes a blob and its file. */
  removeBlob(digest: Digest): Promise<void>;
  /** Adds or moves an image name (`registry/repository:tag`, or with `@digest`); throws InvalidReferenceError. */
  addImage(name: string, target: Digest): void;
  /** Removes an image name; its blobs stay. */
  removeImage(name: string): void;
  /** Begins a download of the blob, beside others of it. */
  beginDownload(digest: Digest, options?: MemoryDownloadOptions): Promise<MemoryDownload>;
  /** With false, acts as if the backend were away: list() and resolve() of unknown tags reject. */
  setAvailable(available: boolean): void;
}

/** An empty store. Its blobs are files in a temporary folder of its own. */
export async function createMemoryStore(): Promise<MemoryStore> {
  const folder = await mkdtemp(join(tmpdir(), 'spegel-store-'));
  const queues = new Set<StoreEventQueue>();
  const contents = new Map<Digest, Uint8Array>();
  const targets = new Map<string, Digest>();
  let available = true;
  const state = createStoreState((change) => {
    for (const queue of queues) queue.push(change);
  });
  const path = (digest: Digest) => join(folder, splitDigest(digest).hex);

  function keepBlob(digest: Digest, bytes: Uint8Array): void {
    contents.set(digest, bytes);
    state.addBlob(digest, bytes.byteLength);
    refreshImages();
  }
  const memoryDownloads = createMemoryDownloads({
    folder,
    async onCommit(digest, bytes, file) {
      await rename(file, path(digest));
      keepBlob(digest, bytes);
    },
  });

  /** Images are looked through anew with every change, so that blobs may come in any order. */
  function refreshImages(): void {
    for (const [name, target] of targets) {
      state.setImage({ name, target, reference: parseReference(name), digests: reachable(target, contents) });
    }
  }

  return {
    downloads: memoryDownloads.downloads,
    beginDownload: (digest, options) => memoryDownloads.begin(digest, options),
    async addBlob(bytes) {
      const digest = digestOf(bytes);
      await writeFile(path(digest), bytes);
      keepBlob(digest, bytes);
      return digest;
    },
    async removeBlob(digest) {
      await rm(path(digest), { force: true });
      contents.delete(digest);
      state.removeBlob(digest);
      refreshImages();
    },
    addImage(name, target) {
      parseReference(name);
      targets.set(name, target);
      refreshImages();
    },
    removeImage(name) {
      targets.delete(name);
      state.removeImage(name);
    },
    setAvailable(value) {
      available = value;
    },
    async resolve(registry, repository, tag, { signal } = {}) {
      signal?.throwIfAborted();
      const target = targets.get(routingKey({ registry, repository, tag }));
      if (target === undefined && !available) {
        throw new StoreUnavailableError('The store was made unavailable');
      }
      return target !== undefined && contents.has(target) ? target : undefined;
    },
    stat(digest, { signal, bytesUpTo = 0 } = {}) {
      if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
      const sizeBytes = state.blobs.get(digest);
      const file = fileState(lstatSync(path(digest), { throwIfNoEntry: false }));
      if (sizeBytes === undefined || file?.sizeBytes !== sizeBytes) return undefined;
      const bytes = sizeBytes <= bytesUpTo ? new Uint8Array(readFileSync(path(digest))) : undefined;
      return { digest, ...file, path: path(digest), bytes };
    },
    async read(digest, maxBytes, { signal } = {}) {
      signal?.throwIfAborted();
      const bytes = contents.get(digest);
      if (bytes !== undefined && bytes.byteLength > maxBytes) {
        throw new RangeError(
          `Cannot read blob "${digest}": ${bytes.byteLength} bytes are over the limit of ${maxBytes}`,
        );
      }
      return bytes && copyBytes(bytes);
    },
    references: (digest) => state.references(digest),
    registriesOf: (repository, tag) => state.registriesOf(repository, tag),
    hasRegistry: (registry) => state.hasRegistry(registry),
    async list({ signal } = {}) {
      signal?.throwIfAborted();
      if (!available) throw new StoreUnavailableError('The store was made unavailable');
      return state.snapshot();
    },
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
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

function reachable(target: Digest, contents: ReadonlyMap<Digest, Uint8Array>): Digest[] {
  const found = new Set<Digest>([target]);
  // The set grows while it is walked.
  for (const digest of found) {
    const bytes = contents.get(digest);
    if (bytes === undefined) continue;
    try {
      for (const reference of parseManifest(bytes).references) found.add(reference.digest);
    } catch {
      // A layer or a config: it leads nowhere.
    }
  }
  return [...found];
}
