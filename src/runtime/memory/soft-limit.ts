import type { Clock } from '../clock.ts';

/**
 * From this share of its limit on garbage is collected whatever else there is to do. The engine knows of no limit, nor of
 * what its objects hold outside of its heap (sockets, answers), and would wait until there is as much garbage as there is
 * else.
 */
const SOFT_LIMIT_SHARE = 0.6;
/** From this share on it is looked at often: a node that is asked 1,000 times a second makes 20 MB of garbage in it. */
const NEAR_SHARE = 0.45;
const NEAR_LOOK_MS = 250;
/** Rest after a collection, as a multiple of what it took: a process that needs more than it may have must get on nevertheless. */
const REST = 10;
/** From this share on the rest is shorter: being killed costs more than all of that. */
const CLOSE_SHARE = 0.75;
const CLOSE_REST = 3;

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
  /** When to look again at the latest, in ms. */
  readonly lookMs: number;
  /** The time in ms has passed. */
  passed(ms: number): void;
  /** Collects if the process has so much memory of its own, in bytes, that it is close. */
  apply(anonymousBytes: number): void;
}

/** Makes the policy for a process that may have so much memory. */
export function createSoftLimit({ clock, collect }: SoftLimitDeps, limitBytes: number): SoftLimit {
  let restMs = 0;
  let lookMs = Number.POSITIVE_INFINITY;
  return {
    get lookMs() {
      return lookMs;
    },
    get isResting() {
      return restMs > 0;
    },
    passed(ms) {
      restMs = Math.max(0, restMs - ms);
    },
    apply(anonymousBytes) {
      lookMs = anonymousBytes < NEAR_SHARE * limitBytes ? Number.POSITIVE_INFINITY : NEAR_LOOK_MS;
      if (anonymousBytes < SOFT_LIMIT_SHARE * limitBytes) return;
      const startedMs = clock.nowMs();
      collect();
      restMs = (anonymousBytes < CLOSE_SHARE * limitBytes ? REST : CLOSE_REST) * (clock.nowMs() - startedMs);
    },
  };
}
