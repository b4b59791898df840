import { MISS_LIFETIME_MS } from '../../routing/miss-lifetime.ts';
import { lruSet } from '../../runtime/lru-set.ts';

const SECOND_MS = 1000;
/**
 * For so long the next lookup of a key gets what the last lookup found. containerd asks HEAD, then GET, and asks for
 * layers, which were looked up with their manifest, three at a time. A provider that has died meanwhile is left out.
 */
export const KEEP_FOUND_MS = 5 * SECOND_MS;
/** Lookups whose outcome is kept. */
const MAX_KEPT_LOOKUPS = 2000;

/** What lookups found a moment ago. */
export interface LookupCache<T> {
  /** What the last lookup of the key found, which may be nothing; undefined when that is too long ago. */
  get(key: string): readonly T[] | undefined;
  /** Keeps what a lookup found when it had asked all that it needed to. */
  keep(key: string, found: readonly T[]): void;
}

/** Keeps for 5 s what was found, and for a tenth of a second that nothing was. */
export function createLookupCache<T>(
  { nowMs }: { readonly nowMs: () => number },
  { maxKept = MAX_KEPT_LOOKUPS }: { readonly maxKept?: number } = {},
): LookupCache<T> {
  /** The oldest first. */
  const kept = new Map<string, { readonly found: readonly T[]; readonly untilMs: number }>();
  return {
    get(key) {
      const entry = kept.get(key);
      if (entry === undefined) return undefined;
      if (nowMs() < entry.untilMs) return entry.found;
      kept.delete(key);
      return undefined;
    },
    keep(key, found) {
      const now = nowMs();
      for (const [old, { untilMs }] of kept) {
        if (now < untilMs) break;
        kept.delete(old);
      }
      const untilMs = now + (found.length > 0 ? KEEP_FOUND_MS : MISS_LIFETIME_MS);
      lruSet(kept, key, { found, untilMs }, maxKept);
    },
  };
}
