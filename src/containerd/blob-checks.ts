import type { Digest } from '../oci/digest.ts';
import { createBackoff } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ContentFiles } from './content-files.ts';
import { createSemaphore } from '../runtime/semaphore.ts';
import { createWakeUp, type WakeUp } from '../runtime/wake-up.ts';

const SECOND_MS = 1000;
/** Delays between questions for a blob that is on disk and not yet known: the commit takes one fsync, mostly some ms. */
const COMMIT_BACKOFF = { initialMs: 10, maxMs: SECOND_MS / 2 } as const;
/** For how long a blob on disk is asked for. After that it belongs to another namespace, or the reconcile finds it. */
export const COMMIT_WAIT_MS = 5 * SECOND_MS;
/** Blobs that are asked for one by one at a time; with more of them one listing is cheaper. */
export const MAX_PENDING_CHECKS = 1024;
/** Calls for single blobs in flight, so that a bulk import does not flood containerd. */
export const MAX_PARALLEL_CHECKS = 16;

/**
 * For how long containerd's event is awaited for a blob that has come, at least; up to twice as long. The event comes with
 * the commit. Another namespace's blob has none.
 */
export const EVENT_WAIT_MS = SECOND_MS;
/** For how long a call waits for the event before it asks containerd itself, in ms. */
const HEARD_WITHIN_MS = 100;

/** What the checks need of the store. */
export interface BlobChecksDeps {
  readonly files: Pick<ContentFiles, 'state' | 'stateNow'>;
  /** Size of the blob in the namespace's metadata, undefined if it is not known there. */
  readonly lookup: (digest: Digest, signal: AbortSignal) => Promise<number | undefined>;
  /** The size in bytes of a blob that was told of as present, and is that still. */
  readonly presentSize: (digest: Digest) => number | undefined;
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
  /**
   * The blob's file came or went. If containerd tells of what it commits, it is not asked for what came unless it stays
   * silent.
   */
  appeared(digest: Digest): void;
  /** containerd says that it has committed a blob of this size in bytes. */
  committed(digest: Digest, sizeBytes: number): void;
  /** Resolves when containerd's event for the blob is not awaited (any more), after HEARD_WITHIN_MS, or when the signal aborts. */
  heard(digest: Digest, signal: AbortSignal | undefined): Promise<void>;
}

/** A blob that has come, and of which containerd has not told yet. */
interface Awaited {
  readonly untilMs: number;
  readonly heard: WakeUp;
}

/**
 * The checks of one store, until the signal aborts. containerd renames the file into place before it
 * commits the metadata, so a blob on disk that is not known yet is asked for again for a while.
 */
export function createBlobChecks(deps: BlobChecksDeps, signal: AbortSignal): BlobChecks {
  const { files, lookup, presentSize, onPresent, onAbsent, onOverflow, onFailed, clock } = deps;
  const pending = new Map<Digest, 'running' | 'again'>();
  const slots = createSemaphore(MAX_PARALLEL_CHECKS);
  const awaited = new Map<Digest, Awaited>();
  /** True if containerd tells of what it commits (from 2.1 on), as far as is known. */
  let tellsCommits = false;
  let isSweeping = false;

  /** `isUntold`: containerd's event was awaited in vain. */
  async function settle(digest: Digest, isUntold: boolean): Promise<void> {
    const backoff = createBackoff(COMMIT_BACKOFF);
    const giveUpAtMs = clock.nowMs() + COMMIT_WAIT_MS;
    for (;;) {
      const onDisk = (await files.state(digest))?.sizeBytes;
      const known = onDisk === undefined ? undefined : await slots.use(() => lookup(digest, signal));
      if (onDisk !== undefined && known === onDisk) {
        // Its events are lost, or it is another containerd now; unless the event has come meanwhile.
        if (isUntold && pending.get(digest) === 'running') tellsCommits = false;
        onPresent(digest, onDisk);
        return;
      }
      onAbsent(digest);
      if (onDisk === undefined || clock.nowMs() >= giveUpAtMs) return;
      await clock.sleep(backoff.nextMs(), signal);
    }
  }

  async function run(digest: Digest, isUntold: boolean): Promise<void> {
    try {
      for (let isFirst = true; isFirst || pending.get(digest) === 'again'; isFirst = false) {
        pending.set(digest, 'running');
        await settle(digest, isUntold && isFirst);
      }
    } catch (error) {
      if (!signal.aborted) onFailed(digest, error);
    } finally {
      pending.delete(digest);
    }
  }

  function check(digest: Digest, isUntold = false): void {
    if (signal.aborted) return;
    if (pending.has(digest)) pending.set(digest, 'again');
    else if (pending.size >= MAX_PENDING_CHECKS) onOverflow();
    else void run(digest, isUntold);
  }

  /** Returns false if the blob was not awaited. */
  function stopAwaiting(digest: Digest): boolean {
    const entry = awaited.get(digest);
    awaited.delete(digest);
    entry?.heard.wake();
    return entry !== undefined;
  }

  /** Asks for what containerd does not tell of. One timer serves all blobs. */
  function sweep(): void {
    if (isSweeping || awaited.size === 0) return;
    isSweeping = true;
    clock.sleep(EVENT_WAIT_MS, signal).then(
      () => {
        isSweeping = false;
        const nowMs = clock.nowMs();
        for (const [digest, { untilMs }] of awaited) {
          if (untilMs > nowMs) break;
          check(digest, true);
          stopAwaiting(digest);
        }
        sweep();
      },
      () => {},
    );
  }

  return {
    check: (digest) => check(digest),
    appeared(digest) {
      if (signal.aborted) return;
      if (!tellsCommits || pending.has(digest) || awaited.size >= MAX_PENDING_CHECKS) {
        check(digest);
        return;
      }
      const sizeBytes = files.stateNow(digest)?.sizeBytes;
      if (sizeBytes === undefined) {
        onAbsent(digest);
        stopAwaiting(digest);
      } else if (!awaited.has(digest) && presentSize(digest) !== sizeBytes) {
        awaited.set(digest, { untilMs: clock.nowMs() + EVENT_WAIT_MS, heard: createWakeUp() });
        sweep();
      }
    },
    committed(digest, sizeBytes) {
      if (signal.aborted) return;
      tellsCommits = true;
      const isSettled = !pending.has(digest) && files.stateNow(digest)?.sizeBytes === sizeBytes;
      if (isSettled) onPresent(digest, sizeBytes);
      else check(digest);
      stopAwaiting(digest);
    },
    async heard(digest, callSignal) {
      await awaited.get(digest)?.heard.sleep(clock, HEARD_WITHIN_MS, callSignal ?? signal);
    },
  };
}
