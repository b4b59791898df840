import type { LogFields, Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import { recentDigest } from '../oci/recent-digests.ts';
import { MAX_MANIFEST_BYTES } from '../oci/media-type.ts';
import type { Clock } from '../runtime/clock.ts';
import type { CachedFileState } from '../runtime/cached-file.ts';
import type { FileState } from '../runtime/file-stamp.ts';
import {
  signalToWait,
  type StatOptions,
  type StoreCallOptions,
  StoreUnavailableError,
} from '../store/content-store.ts';
import { createBlobChecks } from './blob-checks.ts';
import { createConnection } from './connection.ts';
import { CONTENT_CREATED, type ContainerdClient, type ContainerdEvent } from './containerd-client.ts';
import type { ContentFiles } from './content-files.ts';
import { createContentWatch } from './content-watch.ts';
import { createImageWalker } from './image-walker.ts';
import { listNamespace } from './list-namespace.ts';
import { createStoreState, type StoreChange, type StoreState } from '../store/store-state.ts';

const SECOND_MS = 1000;
/** How often everything is listed anew: it takes well under a second of one core for thousands of blobs, and bounds how long a missed change lasts. */
export const RECONCILE_INTERVAL_MS = 60 * SECOND_MS;
/** Images that events asked to be read again; with more of them one listing is cheaper. */
const MAX_PENDING_IMAGES = 256;
/** When to list after an image was deleted: garbage collection follows at once where CRI deletes, and tells of no content that another namespace keeps on disk. */
const COLLECTION_WAIT_MS = 2 * SECOND_MS;

/** Collaborators of a follower. */
export interface NamespaceFollowerDeps {
  readonly connect: () => ContainerdClient;
  readonly files: ContentFiles;
  readonly onChange: (change: StoreChange) => void;
  /** Everything was listed: at a connection, periodically, or because asked for and something is different. */
  readonly onListed: () => void;
  readonly onConnectionChange: (up: boolean) => void;
  /** An entry of the ingest folder came or went; undefined: any may have. */
  readonly onIngest: (id: string | undefined) => void;
  /** containerd has put a blob's file into its place just now: it has compared its bytes with its digest. */
  readonly onCommit: (digest: Digest, file: FileState) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Keeps a StoreState true to a namespace, from events, inotify and listings. */
export interface NamespaceFollower extends AsyncDisposable {
  readonly state: StoreState;
  readonly connected: boolean;
  /** True from the first listing on. */
  readonly listed: boolean;
  /** Calls containerd; a failure has the connection tried. Rejects at once while containerd is away. */
  call<T>(work: (client: ContainerdClient) => Promise<T>): Promise<T>;
  /**
   * The file of a blob that is here, checked on disk, at once where the kernel has that in memory; a blob that is not known yet is
   * asked for.
   */
  confirm(
    digest: Digest,
    options?: StatOptions,
  ): CachedFileState | undefined | Promise<CachedFileState | undefined>;
  /** Lists everything anew, beginning after the call. */
  list(): Promise<void>;
}

/** Starts to follow; containerd may come later. */
export function createNamespaceFollower(deps: NamespaceFollowerDeps): NamespaceFollower {
  const { connect, files, onChange, onListed, onConnectionChange, onIngest, onCommit, clock, logger } = deps;
  const state = createStoreState(onChange);
  const walker = createImageWalker(logger);
  const closing = new AbortController();
  /** Names that events asked to be read again. */
  const dirtyImages = new Set<string>();
  /** Ends when the last piece of work on images and listings has ended. Never rejects. */
  let lastWork: Promise<unknown> = Promise.resolve();
  let nextListing: Promise<void> | undefined;
  let listed = false;
  let warnedOfPath = false;
  let collectionDue = false;
  let missed = false;
  let nextReconcileMs = 0;

  function serially<T>(work: () => Promise<T>): Promise<T> {
    const result = lastWork.then(work);
    lastWork = result.catch(() => {});
    return result;
  }

  async function call<T>(work: (client: ContainerdClient) => Promise<T>): Promise<T> {
    const client = connection.client();
    try {
      return await work(client);
    } catch (error) {
      if (error instanceof StoreUnavailableError) connection.suspect();
      throw error;
    }
  }

  function confirm(
    digest: Digest,
    options: StatOptions = {},
  ): CachedFileState | undefined | Promise<CachedFileState | undefined> {
    const atOnce = files.cachedState(digest, options.bytesUpTo);
    const known = state.blobs.get(digest);
    if (options.signal?.aborted === true) return Promise.reject(options.signal.reason as Error);
    if (atOnce === 'absent') {
      if (known !== undefined) state.removeBlob(digest);
      return undefined;
    }
    if (atOnce !== undefined && atOnce.sizeBytes === known) return atOnce;
    return confirmOnDisk(digest, atOnce, options);
  }

  async function confirmOnDisk(
    digest: Digest,
    atOnce: FileState | undefined,
    options: StoreCallOptions,
  ): Promise<FileState | undefined> {
    const signal = signalToWait(options);
    const onDisk = atOnce ?? (await files.state(digest));
    signal?.throwIfAborted();
    const known = state.blobs.get(digest);
    if (known !== undefined) {
      if (known === onDisk?.sizeBytes) return onDisk;
      state.removeBlob(digest);
    }
    if (onDisk === undefined) return undefined;
    await checks.heard(digest, signal);
    signal?.throwIfAborted();
    if (state.blobs.get(digest) === onDisk.sizeBytes) return onDisk;
    const size = await call((client) => client.contentSize(digest, { signal }));
    // The file is looked at once more: it may have gone meanwhile, and its removal been told of.
    const now = size === undefined ? undefined : await files.state(digest);
    if (size === undefined || now?.sizeBytes !== size) return undefined;
    state.addBlob(digest, size);
    return now;
  }

  /** A listing that has not begun yet serves everyone who asks for one. */
  function list(isPeriodic = false): Promise<void> {
    nextListing ??= serially(async () => {
      nextListing = undefined;
      using update = state.startListing();
      const listing = await call((client) => listNamespace({ client, files, walker }, closing.signal));
      const changed = update.finish(listing.blobs, listing.images);
      content.acknowledge(listing.onDisk);
      if (!listed || isPeriodic || changed) {
        listed = true;
        onListed();
      }
      if (listing.knownBlobs > 0 && listing.blobs.size === 0) await warnOfPath();
      else warnedOfPath = false;
    });
    return nextListing;
  }

  /** Lists because of something seen; if containerd is away, it is listed at its return anyway. */
  function relist(): void {
    list().catch((error: unknown) => {
      if (!closing.signal.aborted) logger.debug('containerd could not be listed', { error });
    });
  }

  /** A change was not followed. It is listed when containerd answers again, which is tried now. */
  function giveUp(message: string, fields: LogFields): void {
    logger.debug(message, fields);
    missed = true;
    connection.suspect();
  }

  function relistAfterCollection(): void {
    if (collectionDue) return;
    collectionDue = true;
    clock.sleep(COLLECTION_WAIT_MS, closing.signal).then(
      () => {
        collectionDue = false;
        relist();
      },
      () => {},
    );
  }

  async function warnOfPath(): Promise<void> {
    if (warnedOfPath) return;
    warnedOfPath = true;
    const contentRoot = await call((client) => client.contentRoot()).catch(() => 'unknown');
    logger.warn(
      'none of the blobs that containerd knows is in the content path: mount the folder that containerd names, and give its place with --containerd-content-path',
      { contentPath: files.root, contentRoot },
    );
  }

  async function refreshImages(): Promise<void> {
    for (const name of dirtyImages) {
      dirtyImages.delete(name);
      const record = await call((client) => client.getImage(name));
      if (record === undefined) {
        state.removeImage(name);
        relistAfterCollection();
        continue;
      }
      const image = await walker.walk(record, async (digest) => {
        const sizeBytes = (await confirm(digest))?.sizeBytes;
        return sizeBytes === undefined || sizeBytes > MAX_MANIFEST_BYTES
          ? undefined
          : files.read(digest, sizeBytes);
      });
      state.setImage(image);
      // Content that another namespace fetched is shared without any rename.
      for (const digest of image.digests) if (!state.blobs.has(digest)) checks.check(digest);
    }
  }

  function onEvent({ topic, subject, sizeBytes }: ContainerdEvent): void {
    if (topic.startsWith('/content/')) {
      const digest = recentDigest(subject);
      if (digest === undefined) return;
      if (sizeBytes !== undefined) checks.committed(digest, sizeBytes);
      // inotify mostly was there first.
      else if (topic !== CONTENT_CREATED || !state.blobs.has(digest)) checks.check(digest);
    } else if (dirtyImages.size >= MAX_PENDING_IMAGES) {
      relist();
    } else {
      dirtyImages.add(subject);
      serially(refreshImages).catch((error: unknown) => {
        if (!closing.signal.aborted) giveUp('image could not be read', { image: subject, error });
      });
    }
  }

  const checks = createBlobChecks(
    {
      files,
      lookup: (digest, signal) => call((client) => client.contentSize(digest, { signal })),
      presentSize: (digest) => state.blobs.get(digest),
      onPresent: (digest, sizeBytes) => state.addBlob(digest, sizeBytes),
      onAbsent: (digest) => state.removeBlob(digest),
      onOverflow: relist,
      onFailed: (digest, error) => giveUp('blob could not be checked', { digest, error }),
      clock,
    },
    closing.signal,
  );
  function onBlob(digest: Digest): void {
    // Over a file that is there another one may be put, but not by containerd.
    const file = state.blobs.has(digest) ? undefined : files.stateNow(digest);
    if (file !== undefined) onCommit(digest, file);
    checks.appeared(digest);
  }

  // Before the connection, so that nothing falls between the first listing and the watch.
  const content = createContentWatch({
    files,
    known: () => state.blobs,
    onBlob,
    onIngest,
    clock,
    logger,
  });
  const connection = createConnection({
    connect,
    onEvent,
    async onConnected() {
      await list(true);
      // Once more soon: events between the subscription's start and the listing may have been lost.
      nextReconcileMs = 0;
    },
    async onProbed() {
      content.check();
      if (!missed && clock.nowMs() < nextReconcileMs) return;
      missed = false;
      // Up to a quarter off, so that the nodes of a cluster do not act in step.
      nextReconcileMs = clock.nowMs() + RECONCILE_INTERVAL_MS * (0.75 + Math.random() / 2);
      await list(true);
    },
    onConnectionChange,
    clock,
    logger,
  });

  return {
    state,
    get connected() {
      return connection.up;
    },
    get listed() {
      return listed;
    },
    call,
    confirm,
    list: () => list(),
    async [Symbol.asyncDispose]() {
      closing.abort(new StoreUnavailableError('The store is closed'));
      content[Symbol.dispose]();
      await connection[Symbol.asyncDispose]();
      await lastWork;
    },
  };
}
