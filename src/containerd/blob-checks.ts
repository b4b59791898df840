import type { Digest } from '../oci/digest.ts';
import { createBackoff } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ContentFiles } from './content-files.ts';
import { createSemaphore } from '../runtime/semaphore.ts';

const SECOND_MS = 1000;
/** Delays between questions for a blob that is on disk and not yet known: the commit takes one fsync, mostly some ms. */
const COMMIT_BACKOFF = { initialMs: 10, maxMs: SECOND_MS / 2 } as const;
/** For how long a blob on disk is asked for. After that it belongs to another namespace, or the reconcile finds it. */
export const COMMIT_WAIT_MS = 5 * SECOND_MS;
/** Blobs that are asked for one by one at a time; with more of them one listing is cheaper. */
export const MAX_PENDING_CHECKS = 1024;
/** Calls for single blobs in flight, so that a bulk import does not flood containerd. */
export const MAX_PARALLEL_CHECKS = 16;

/** What the checks need of the store. */
export interface BlobChecksDeps {
  readonly files: Pick<ContentFiles, 'sizeBytes'>;
  /** Size of the blob in the namespace's metadata, undefined if it is not known there. */
  readonly lookup: (digest: Digest, signal: AbortSignal) => Promise<number | undefined>;
  readonly onPresent: (digest: Digest, sizeBytes: number) => void;
  readonly onAbsent: (digest: Digest) => void;
  /** There is more to check than is worth checking one by one. */
  readonly onOverflow: () => void;
  /** A blob could not be asked for and was given up. */
  readonly onFailed: (digest: Digest, error: unknown) => void;
  readonly clock: Clock;
}

/** Finds out what became of blobs whose files came or went. */
export interface BlobChecks {
  /** Returns at once. A check of the same digest that runs is done again after its end. */
  check(digest: Digest): void;
}

/**
 * The checks of one store, until the signal aborts. containerd renames the file into place before it
 * commits the metadata, so a blob on disk that is not known yet is asked for again for a while.
 */
export function createBlobChecks(deps: BlobChecksDeps, signal: AbortSignal): BlobChecks {
  const { files, lookup, onPresent, onAbsent, onOverflow, onFailed, clock } = deps;
  const pending = new Map<Digest, 'running' | 'again'>();
  const slots = createSemaphore(MAX_PARALLEL_CHECKS);

  async function settle(digest: Digest): Promise<void> {
    const backoff = createBackoff(COMMIT_BACKOFF);
    const giveUpAtMs = clock.nowMs() + COMMIT_WAIT_MS;
    for (;;) {
      const onDisk = await files.sizeBytes(digest);
      const known = onDisk === undefined ? undefined : await slots.use(() => lookup(digest, signal));
      if (onDisk !== undefined && known === onDisk) {
        onPresent(digest, onDisk);
        return;
      }
      onAbsent(digest);
      if (onDisk === undefined || clock.nowMs() >= giveUpAtMs) return;
      await clock.sleep(backoff.nextMs(), signal);
    }
  }

  async function run(digest: Digest): Promise<void> {
    try {
      do {
        pending.set(digest, 'running');
        await settle(digest);
      } while (pending.get(digest) === 'again');
    } catch (error) {
      if (!signal.aborted) onFailed(digest, error);
    } finally {
      pending.delete(digest);
    }
  }

  return {
    check(digest) {
      if (signal.aborted) return;
      if (pending.has(digest)) pending.set(digest, 'again');
      else if (pending.size >= MAX_PENDING_CHECKS) onOverflow();
      else void run(digest);
    },
  };
}
