import type { Clock } from '../runtime/clock.ts';
import { createKeyedBackoff } from '../runtime/keyed-backoff.ts';
import { PEER_HEALTH_ENTRIES, SLOW_SKIP_INITIAL_MS, SLOW_SKIP_MAX_MS } from './budgets.ts';

/** What becomes of a host that was slow: left alone for a while, then asked when nobody else is left. */
export type HostStanding = 'good' | 'last' | 'skipped';

/**
 * Remembers which hosts gave too little. By the address that the bytes came from, since that was seen: whoever is said to
 * be there, under however many names, and whether its router comes back, changes nothing.
 */
export interface SlowHosts {
  standing(host: string): HostStanding;
  /** The host gave too little. */
  wasSlow(host: string): void;
  /** The host kept up with a body that was long enough to tell. */
  keptUp(host: string): void;
}

/** Each time that a host is slow doubles the time for which it is left alone, from 30 s to 10 min. */
export function createSlowHosts(clock: Clock): SlowHosts {
  const hosts = createKeyedBackoff(() => clock.nowMs(), {
    initialMs: SLOW_SKIP_INITIAL_MS,
    maxMs: SLOW_SKIP_MAX_MS,
    maxKeys: PEER_HEALTH_ENTRIES,
  });
  return {
    standing(host) {
      if (!hosts.has(host)) return 'good';
      return hosts.isWaiting(host) ? 'skipped' : 'last';
    },
    wasSlow(host) {
      // Layers that come side by side are slow together: that is once.
      hosts.start(host);
    },
    keptUp(host) {
      // One body that is fast must not lead the others back to a host that drips.
      if (!hosts.isWaiting(host)) hosts.forget(host);
    },
  };
}
