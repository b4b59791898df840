import type { Clock } from '../clock.ts';

/**
 * From this share of its limit on garbage is collected whatever else there is to do. The engine knows of no limit, nor of
 * what its objects hold outside of its heap (sockets, answers), and would wait until there is as much garbage as there is
 * else.
 */
const SOFT_LIMIT_SHARE = 0.65;
/** Rest after a collection, as a multiple of what it took: a process that needs more than it may have must get on nevertheless. */
const REST = 50;

/** What createSoftLimit needs. */
export interface SoftLimitDeps {
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Gives back garbage. */
  readonly collect: () => void;
}

/** Collects garbage of a process that is close to its limit. */
export interface SoftLimit {
  /** True while it rests. */
  readonly isResting: boolean;
  /** The time in ms has passed. */
  passed(ms: number): void;
  /** Collects if the process has so much memory of its own, in bytes, that it is close. */
  apply(anonymousBytes: number): void;
}

/** Makes the policy for a process that may have so much memory. */
export function createSoftLimit({ clock, collect }: SoftLimitDeps, limitBytes: number): SoftLimit {
  let restMs = 0;
  return {
    get isResting() {
      return restMs > 0;
    },
    passed(ms) {
      restMs = Math.max(0, restMs - ms);
    },
    apply(anonymousBytes) {
      if (anonymousBytes < SOFT_LIMIT_SHARE * limitBytes) return;
      const startedMs = clock.nowMs();
      collect();
      restMs = REST * (clock.nowMs() - startedMs);
    },
  };
}
