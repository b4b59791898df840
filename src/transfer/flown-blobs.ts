import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';
import { lruSet } from '../runtime/lru-set.ts';
import { FLOWN_BLOB_MEMORY_MS, FLOWN_BLOBS } from './budgets.ts';

/**
 * Remembers which blobs came to their end through a flight. What is asked for from the first byte on again, a moment later,
 * did not have the right bytes. The nodes of a flight pass on what they have not verified yet, so there is no telling which
 * of them was at fault, and all would give the same again.
 */
export interface FlownBlobs {
  /** True if the blob came through a flight a moment ago. */
  has(digest: Digest): boolean;
  add(digest: Digest): void;
}

/** Remembers nothing yet. */
export function createFlownBlobs(clock: Pick<Clock, 'nowMs'>): FlownBlobs {
  const blobs = new Map<Digest, number>();
  return {
    has: (digest) => clock.nowMs() < (blobs.get(digest) ?? -Infinity),
    add: (digest) => lruSet(blobs, digest, clock.nowMs() + FLOWN_BLOB_MEMORY_MS, FLOWN_BLOBS),
  };
}
