import { setNewest } from '../../runtime/set-newest.ts';
import { KEEP_FOUND_MS, KEEP_MISS_MS, MAX_KEPT_LOOKUPS } from '../limits.ts';

/** What lookups found a moment ago. */
export interface KeptLookups<T> {
  /** What the last lookup of the key found: nobody, or somebody; undefined when that is too long ago. */
  get(key: string): readonly T[] | undefined;
  /** Keeps what a lookup found when it had asked all that it needed to. */
  keep(key: string, found: readonly T[]): void;
}

/** Keeps those who were found for 5 s, that there was nobody for a tenth of a second. */
export function createKeptLookups<T>(
  { nowMs }: { readonly nowMs: () => number },
  { maxKept = MAX_KEPT_LOOKUPS }: { readonly maxKept?: number } = {},
): KeptLookups<T> {
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
      const untilMs = now + (found.length > 0 ? KEEP_FOUND_MS : KEEP_MISS_MS);
      setNewest(kept, key, { found, untilMs }, maxKept);
    },
  };
}
