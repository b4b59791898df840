import type { Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';
import { lruSet } from '../runtime/lru-set.ts';
import { createTokenBucket } from '../runtime/token-bucket.ts';
import { createWakeUp } from '../runtime/wake-up.ts';
import type { Blob, ContentStore } from '../store/content-store.ts';
import type { FileHasher } from './file-hasher.ts';

const SECOND_MS = 1000;
const HOUR_MS = 3600 * SECOND_MS;

/**
 * How long a request waits for its blob to be hashed: a peer waits 500 ms for a head. That is enough for 300 MB in memory.
 */
const VERIFY_WAIT_MS = 300;
/** Blobs that may wait to be hashed for requests; a flood of requests does not make a queue of hours. */
const MAX_WAITING = 64;
/** A blob that is said to be wrong is hashed again at most so often. */
const DOUBT_INTERVAL_MS = 60 * SECOND_MS;
/** Blobs of which that is remembered. */
const MAX_DOUBTED = 1000;
/** And all of them together: a member that doubts everything keeps no processor busy. */
const DOUBTS = { burst: 20, perSecond: 1 / 6 } as const;
/** The same in MiB, of which a processor hashes some hundreds each second. */
const DOUBTED_MIB = { burst: 1024, perSecond: 8 } as const;
const MIB = 1024 * 1024;
/** What is doubted is hashed beside what requests wait for, at so many bytes per second. */
const DOUBTED_BYTES_PER_SECOND = 128 * MIB;
/** A blob that could not be read, because the disk is at its end for instance, is not tried for so long. */
const UNREADABLE_MS = 60 * SECOND_MS;
const MAX_UNREADABLE = 1000;
/** How often damaged blobs are looked at, while there are some: they are removed, or pulled anew. */
const DAMAGED_LOOK_MS = 2 * SECOND_MS;
/** The same while there are none, which wakes nothing. */
const NO_LOOK_MS = 24 * HOUR_MS;
/** Between two blobs of the scrub, at least: small ones come by the thousand. */
const SCRUB_PAUSE_MS = SECOND_MS / 4;
/** After a scrub of everything. What rots below the file system changes no file's state. */
const SCRUB_REST_MS = 24 * HOUR_MS;
/** While nothing can be listed, and before the first scrub: a node that has just started has other things to do. */
const SCRUB_WAIT_MS = 60 * SECOND_MS;

/** A blob of this node whose bytes are not those of its digest. */
export interface DamagedBlob {
  readonly digest: Digest;
  readonly path: string;
  /** When that was found, in ms of the clock. */
  readonly foundMs: number;
}

/** What createBlobVerifier needs. */
export interface BlobVerifierDeps {
  readonly hasher: FileHasher;
  readonly store: Pick<ContentStore, 'list' | 'stat'>;
  /** Told once of each blob that is found to be damaged. */
  readonly onDamaged: (blob: DamagedBlob) => void;
  /** Told of each blob that was damaged and is so no more: it is right, or gone. */
  readonly onRepaired: (digest: Digest) => void;
  /** Told of each blob that was hashed. */
  readonly onVerified?: (isRight: boolean) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Options of createBlobVerifier. */
export interface BlobVerifierOptions {
  /** Bytes per second of the scrub; 0: none. */
  readonly scrubBytesPerSecond: number;
}

/** Knows which blobs of this node are what their digests say. */
export interface BlobVerifier {
  /** containerd has just compared the bytes of the file with the digest. */
  committed(digest: Digest, stamp: number): void;
  /**
   * False for a blob that is damaged, or that has changed since it was verified and cannot be verified in time. A blob that
   * was not verified since this process started is hashed first, as long as a request can wait.
   */
  mayServe(blob: Blob): boolean | Promise<boolean>;
  /** True for a blob that was found to be damaged; with the state of its file, for a file that was. */
  isDamaged(digest: string, stamp?: number): boolean;
  /** The blob is said to be wrong, by another node for instance: it is hashed again soon, whatever is known of it. */
  doubt(blob: Blob): void;
  damaged(): readonly DamagedBlob[];
  /** Hashes all that this node has, slowly, over and over, and looks what becomes of damaged blobs, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Makes a verifier that knows of no blob. */
export function createBlobVerifier(
  { hasher, store, onDamaged, onRepaired, onVerified, clock, logger }: BlobVerifierDeps,
  { scrubBytesPerSecond }: BlobVerifierOptions,
): BlobVerifier {
  /** The state in which a blob's file was verified last. */
  const verified = new Map<Digest, number>();
  const damaged = new Map<Digest, DamagedBlob & { readonly stamp: number }>();
  const running = new Map<Digest, Promise<boolean | undefined>>();
  const doubted = new Map<Digest, number>();
  /** Until when a blob that could not be read counts as not here. */
  const unreadable = new Map<Digest, number>();
  const doubts = createTokenBucket(() => clock.nowMs(), DOUBTS);
  const doubtedMib = createTokenBucket(() => clock.nowMs(), DOUBTED_MIB);
  const anyDamaged = createWakeUp();

  const repair = (digest: Digest) => {
    if (damaged.delete(digest)) onRepaired(digest);
  };
  const learn = ({ digest, path }: Pick<Blob, 'digest' | 'path'>, isRight: boolean, stamp: number) => {
    onVerified?.(isRight);
    if (isRight) {
      verified.set(digest, stamp);
      repair(digest);
      return;
    }
    verified.delete(digest);
    const isNew = damaged.get(digest)?.stamp !== stamp;
    const blob = { digest, path, foundMs: clock.nowMs() };
    damaged.set(digest, { ...blob, stamp });
    if (damaged.size === 1) anyDamaged.wake();
    if (isNew) onDamaged(blob);
  };
  /** True for right bytes, undefined if that cannot be told. A blob is hashed once at a time. */
  const verify = (
    blob: Blob,
    check: typeof hasher.check = (file) => hasher.check(file),
  ): Promise<boolean | undefined> => {
    const { digest, path } = blob;
    const known = running.get(digest);
    if (known !== undefined) return known;
    const checked = (async () => {
      try {
        const verdict = await check({ file: path, digest });
        if (verdict === undefined) lruSet(unreadable, digest, clock.nowMs() + UNREADABLE_MS, MAX_UNREADABLE);
        else learn(blob, verdict.isRight, verdict.stamp);
        return verdict?.isRight;
      } finally {
        running.delete(digest);
      }
    })();
    running.set(digest, checked);
    return checked;
  };
  /** What is known of the blob in just this state. */
  const knownOf = ({ digest, stamp }: Blob): boolean | undefined => {
    if (verified.get(digest) === stamp) return true;
    return damaged.get(digest)?.stamp === stamp ? false : undefined;
  };
  const verifyInTime = async (blob: Blob): Promise<boolean> => {
    const { digest } = blob;
    // What was right and has changed, or was wrong and has changed, is suspect.
    const isSuspect = verified.has(digest) || damaged.has(digest);
    if (running.size >= MAX_WAITING && !running.has(digest)) return !isSuspect;
    const stop = new AbortController();
    const late = clock.sleep(VERIFY_WAIT_MS, stop.signal).then(
      () => 'late' as const,
      () => 'late' as const,
    );
    const checked = verify(blob).catch((error: unknown) => {
      logger.warn('blobs cannot be verified just now', { error });
      return 'late' as const;
    });
    const isRight = await Promise.race([checked, late]);
    stop.abort();
    if (isRight !== 'late') return isRight === true;
    logger.debug('blob was not verified in time', { digest, isServed: !isSuspect });
    return !isSuspect;
  };

  /** Forgets what is not here any more. */
  const prune = (here: ReadonlySet<Digest>) => {
    for (const digest of verified.keys()) if (!here.has(digest)) verified.delete(digest);
    for (const digest of damaged.keys()) if (!here.has(digest)) repair(digest);
  };
  const statOrUnknown = async (digest: Digest, signal: AbortSignal) => {
    try {
      return await store.stat(digest, { signal });
    } catch {
      return 'unknown';
    }
  };
  const scrubBlob = async (digest: Digest, signal: AbortSignal) => {
    const blob = await store.stat(digest, { signal });
    if (blob === undefined) return;
    const verdict = await hasher.checkSlowly({ file: blob.path, digest }, scrubBytesPerSecond);
    if (verdict !== undefined) learn(blob, verdict.isRight, verdict.stamp);
  };
  const scrubAll = async (signal: AbortSignal) => {
    const { blobs } = await store.list({ signal });
    prune(blobs);
    // What was verified since the start comes last.
    const isVerified = (digest: Digest) => verified.has(digest);
    const all = [...blobs];
    const order = [...all.filter((digest) => !isVerified(digest)), ...all.filter(isVerified)];
    for (const digest of order) {
      if (signal.aborted) return;
      await scrubBlob(digest, signal);
      await clock.sleep(SCRUB_PAUSE_MS, signal);
    }
  };

  return {
    committed(digest, stamp) {
      verified.set(digest, stamp);
      repair(digest);
    },
    mayServe(blob) {
      const known = knownOf(blob);
      if (known !== undefined) return known;
      return clock.nowMs() < (unreadable.get(blob.digest) ?? -Infinity) ? false : verifyInTime(blob);
    },
    isDamaged(digest, stamp) {
      const found = damaged.get(digest as Digest);
      return found !== undefined && (stamp === undefined || found.stamp === stamp);
    },
    doubt(blob) {
      const { digest } = blob;
      const nowMs = clock.nowMs();
      const wasHashed = nowMs - (doubted.get(digest) ?? -Infinity) < DOUBT_INTERVAL_MS;
      if (wasHashed || running.size >= MAX_WAITING || !doubtedMib.has() || !doubts.take()) return;
      doubtedMib.take(blob.sizeBytes / MIB);
      lruSet(doubted, digest, nowMs, MAX_DOUBTED);
      verify(blob, (file) => hasher.checkSlowly(file, DOUBTED_BYTES_PER_SECOND)).then(
        (isRight) => logger.info('a blob that is said to be wrong was hashed', { digest, isRight }),
        () => {},
      );
    },
    damaged: () => [...damaged.values()].map(({ stamp: _stamp, ...blob }) => blob),
    run: async (signal) => void (await Promise.all([scrub(signal), followDamaged(signal)])),
  };

  async function scrub(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(SCRUB_WAIT_MS, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        if (scrubBytesPerSecond > 0) await scrubAll(signal);
        else prune((await store.list({ signal })).blobs);
      } catch (error) {
        if (!signal.aborted) logger.debug('the blobs of this node cannot be listed', { error });
        continue;
      }
      await clock.sleep(SCRUB_REST_MS, signal).catch(() => {});
    }
  }

  async function followDamaged(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await anyDamaged.sleep(clock, damaged.size === 0 ? NO_LOOK_MS : DAMAGED_LOOK_MS, signal);
      // What is repaired meanwhile is passed over by the iteration.
      for (const [digest, { stamp }] of damaged) {
        const blob = await statOrUnknown(digest, signal);
        if (blob === undefined) repair(digest);
        else if (blob !== 'unknown' && blob.stamp !== stamp) await verify(blob).catch(() => {});
      }
    }
  }
}
