import type { Clock } from '../runtime/clock.ts';
import { MISS_LIFETIME_MS } from '../routing/miss-lifetime.ts';
import { lruSet } from '../runtime/lru-set.ts';
import type { NotFetched } from './fetch-manifest.ts';

/** Misses that are remembered: what thousands of requests a second leave in that time. */
const MAX_MISSES = 1000;

/**
 * Remembers for MISS_LIFETIME_MS what no node had. containerd asks the targets of hosts.toml one right after the other, and
 * two of them often lead to the same node: the second is answered at once. No longer, because a peer may have it any moment.
 */
export interface MissCache {
  get(key: string): NotFetched | undefined;
  add(key: string, miss: NotFetched): void;
}

/** Creates an empty memory. */
export function createMissCache(clock: Clock): MissCache {
  const misses = new Map<string, { readonly miss: NotFetched; readonly untilMs: number }>();
  return {
    get(key) {
      const known = misses.get(key);
      return known !== undefined && clock.nowMs() < known.untilMs ? known.miss : undefined;
    },
    add(key, miss) {
      lruSet(misses, key, { miss, untilMs: clock.nowMs() + MISS_LIFETIME_MS }, MAX_MISSES);
    },
  };
}
