import type { Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import { tagKey } from '../oci/reference.ts';
import type { Clock } from '../runtime/clock.ts';
import { abortable } from '../runtime/abortable.ts';
import type { CachedFileState } from '../runtime/cached-file.ts';
import type { FileState } from '../runtime/file-stamp.ts';
import { type Blob, type ContentStore, signalToWait, StoreUnavailableError } from '../store/content-store.ts';
import type { Ingests } from '../store/ingests.ts';
import { createStoreEventQueue, type StoreEventQueue } from '../store/store-event-queue.ts';
import { type ContainerdClient, createContainerdClient } from './containerd-client.ts';
import { createContentFiles } from './content-files.ts';
import { createContainerdIngests } from './containerd-ingests.ts';
import { createIngestWatch } from './ingest-watch.ts';
import { createNamespaceFollower } from './namespace-follower.ts';

/** Collaborators of createContainerdStore. */
export interface ContainerdStoreDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called with true when containerd answers and everything was listed, with false when that is lost. Not called before the first of them. */
  readonly onConnectionChange?: (up: boolean) => void;
  /** Told of each blob that containerd commits, with the state of its file; not of those that it had before. */
  readonly onCommit?: (digest: Digest, file: FileState) => void;
  /** Makes a client for each attempt to connect. Default: one over the socket. Injected in tests. */
  readonly connect?: () => ContainerdClient;
}

/** Options of createContainerdStore. */
export interface ContainerdStoreOptions {
  /** containerd's socket. */
  readonly socketPath: string;
  /** Namespace whose content is served, `k8s.io` for Kubernetes. */
  readonly namespace: string;
  /** containerd's content directory as this process sees it. It is only read. */
  readonly contentPath: string;
  /** False: `downloads` stays empty, which saves a millisecond for each layer that is pulled. Default true. */
  readonly followsDownloads?: boolean;
}

/** A ContentStore over containerd. Disposing it ends its connection and its watches. */
export interface ContainerdStore extends ContentStore, AsyncDisposable {
  readonly ingests: Ingests;
  /** True while containerd answers, and everything was listed since it does. */
  readonly connected: boolean;
}

/**
 * Starts to follow a containerd (1.6 or newer), which may come later, restart or hang: the store answers
 * from its last knowledge and the disk then, as ContentStore says.
 */
export function createContainerdStore(
  { clock, logger, onConnectionChange = () => {}, onCommit = () => {}, connect }: ContainerdStoreDeps,
  { socketPath, namespace, contentPath, followsDownloads = true }: ContainerdStoreOptions,
): ContainerdStore {
  const files = createContentFiles(contentPath);
  const queues = new Set<StoreEventQueue>();
  const downloads = createIngestWatch({ clock, logger }, { path: files.ingestFolder, namespace });
  const follower = createNamespaceFollower({
    connect: connect ?? (() => createContainerdClient({ socketPath, namespace })),
    files,
    onChange(change) {
      for (const queue of queues) queue.push(change);
    },
    onListed() {
      for (const queue of queues) queue.resync();
    },
    onConnectionChange,
    onCommit,
    onIngest(id) {
      if (!followsDownloads) return;
      if (id === undefined) downloads.scan();
      else downloads.look(id);
    },
    clock,
    logger,
  });
  const { state } = follower;

  async function targetOf(name: string, signal: AbortSignal | undefined): Promise<Digest | undefined> {
    try {
      return (await follower.call((client) => client.getImage(name, { signal })))?.target;
    } catch (error) {
      // Nobody but containerd moves a tag, so while it is away the last word stands.
      const last = state.images.get(name);
      if (error instanceof StoreUnavailableError && last !== undefined) return last.target;
      throw error;
    }
  }

  return {
    downloads: downloads.downloads,
    ingests: createContainerdIngests({
      call: (work) => follower.call(work),
      downloads: downloads.downloads,
      path: files.ingestFolder,
      namespace,
    }),
    get connected() {
      return follower.connected;
    },
    async resolve(registry, repository, tag, options = {}) {
      const target = await targetOf(tagKey(registry, repository, tag), signalToWait(options));
      if (target === undefined) return undefined;
      return (await follower.confirm(target, options)) === undefined ? undefined : target;
    },
    stat(digest, options = {}) {
      const blobOf = (file: CachedFileState | undefined): Blob | undefined =>
        file && { digest, ...file, path: files.path(digest) };
      const file = follower.confirm(digest, options);
      return file instanceof Promise ? file.then(blobOf) : blobOf(file);
    },
    async read(digest, maxBytes, options = {}) {
      const sizeBytes = (await follower.confirm(digest, options))?.sizeBytes;
      if (sizeBytes === undefined) return undefined;
      if (sizeBytes > maxBytes) {
        throw new RangeError(
          `Cannot read blob "${digest}": ${sizeBytes} bytes are over the limit of ${maxBytes}`,
        );
      }
      return files.read(digest, sizeBytes);
    },
    references: (digest) => state.references(digest),
    registriesOf: (repository, tag) => state.registriesOf(repository, tag),
    hasRegistry: (registry) => state.hasRegistry(registry),
    async list({ signal } = {}) {
      signal?.throwIfAborted();
      await abortable(follower.list(), signal);
      return state.snapshot();
    },
    async *watch(signal) {
      const queue = createStoreEventQueue(() => state.snapshot());
      // Before the first listing nothing is known; that listing brings the first resync.
      if (follower.listed) queue.resync();
      queues.add(queue);
      try {
        yield* queue.read(signal);
      } finally {
        queues.delete(queue);
      }
    },
    async [Symbol.asyncDispose]() {
      downloads[Symbol.dispose]();
      await follower[Symbol.asyncDispose]();
    },
  };
}
