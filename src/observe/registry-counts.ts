import { OVERFLOW_LABEL } from './label-cap.ts';

/** Registries whose requests wait to be counted: what a node pulls from between two scrapes. */
const MAX_PENDING = 100;

/** Counts of requests by registry. A request can name any registry, and each name in metrics is a time series for good. */
export interface RegistryCounts {
  /** Counts a request. */
  add(registry: string, cache: 'hit' | 'miss'): void;
  /** Hands over what was counted since the last time, under the registry's name if it is one of the node's own, else as `other`. */
  settle(isOwn: (registry: string) => boolean): void;
}

/**
 * Creates the counts. They are told under their names as late as possible: in the first pull from a registry this node has
 * no image of it yet.
 */
export function createRegistryCounts(
  count: (label: string, cache: 'hit' | 'miss', requests: number) => void,
): RegistryCounts {
  const pending = new Map<string, { hit: number; miss: number }>();
  return {
    add(registry, cache) {
      const counts = pending.get(registry) ?? { hit: 0, miss: 0 };
      if (!pending.has(registry) && pending.size >= MAX_PENDING) {
        count(OVERFLOW_LABEL, cache, 1);
        return;
      }
      counts[cache]++;
      pending.set(registry, counts);
    },
    settle(isOwn) {
      for (const [registry, counts] of pending) {
        // A request that names no registry is one of any.
        const label = registry === '' || isOwn(registry) ? registry : OVERFLOW_LABEL;
        for (const cache of ['hit', 'miss'] as const) {
          if (counts[cache] > 0) count(label, cache, counts[cache]);
        }
      }
      pending.clear();
    },
  };
}
