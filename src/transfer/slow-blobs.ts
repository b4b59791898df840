import type { Clock } from '../runtime/clock.ts';
import { lruSet } from '../runtime/lru-set.ts';
import { MAX_SLOW_SOURCES, SLOW_BLOBS, SLOW_BLOB_MEMORY_MS } from './budgets.ts';

/**
 * Counts the slow sources of each blob, over all its requests: containerd asks for the rest of a body that was broken off,
 * and another slow peer may have it. So however many peers drip, a blob is late by three of them.
 */
export interface SlowBlobs {
  /** True if upstream is the better source for now. */
  isGivenUp(digest: string): boolean;
  /** A source of the blob was slow. */
  sourceWasSlow(digest: string): void;
}

/** Counts nothing yet. */
export function createSlowBlobs(clock: Clock): SlowBlobs {
  const blobs = new Map<string, { readonly sources: number; readonly untilMs: number }>();
  const sourcesOf = (digest: string): number => {
    const blob = blobs.get(digest);
    return blob === undefined || blob.untilMs <= clock.nowMs() ? 0 : blob.sources;
  };
  return {
    isGivenUp: (digest) => sourcesOf(digest) >= MAX_SLOW_SOURCES,
    sourceWasSlow(digest) {
      const untilMs = clock.nowMs() + SLOW_BLOB_MEMORY_MS;
      lruSet(blobs, digest, { sources: sourcesOf(digest) + 1, untilMs }, SLOW_BLOBS);
    },
  };
}
