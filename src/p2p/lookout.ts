import { createBackoff } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { BootstrapPeer } from './bootstrapper.ts';
import { MISSED_INITIAL_MS, MISSED_MAX_MS } from './limits.ts';

/** What createLookout needs. */
export interface LookoutDeps {
  readonly isConnected: (peer: BootstrapPeer) => boolean;
  /** Resolves when a connection has begun or ended; rejects when the signal aborts. */
  readonly changed: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  /** A number from 0 up to, not including, 1. */
  readonly random: () => number;
}

/** Watches whether peers stay connected, see createLookout. */
export interface Lookout {
  /** Watches these instead of those before. */
  follow(peers: readonly BootstrapPeer[]): void;
  /** True if one of them was connected once and is not now. */
  isOneMissing(): boolean;
  /**
   * Resolves when one has been missing for a while: seconds at first, twice as long each time that this resolved, minutes at
   * most, until all were back. Rejects when the signal aborts.
   */
  readonly untilMissing: (signal: AbortSignal) => Promise<void>;
}

/** Makes a lookout for peers that were connected and are lost. Those that never were are nobody that it misses. */
export function createLookout({ isConnected, changed, clock, random }: LookoutDeps): Lookout {
  const backoff = createBackoff({ initialMs: MISSED_INITIAL_MS, maxMs: MISSED_MAX_MS, random });
  let followed: readonly BootstrapPeer[] = [];
  let met = new Set<string>();
  const isMissing = (peer: BootstrapPeer) => {
    const isThere = isConnected(peer);
    if (isThere) met.add(nameOf(peer));
    return !isThere && met.has(nameOf(peer));
  };
  // All of them: who is met is noted on the way.
  const isOneMissing = () => followed.filter(isMissing).length > 0;
  return {
    follow(peers) {
      followed = peers;
      met = met.intersection(new Set(peers.map(nameOf)));
    },
    isOneMissing,
    async untilMissing(signal) {
      for (;;) {
        if (!isOneMissing()) {
          backoff.reset();
          await changed(signal);
        }
        // Not looked at for each change: there is one for each node of a cluster that starts.
        await clock.sleep(backoff.nextMs(), signal);
        if (isOneMissing()) return;
      }
    },
  };
}

function nameOf({ id, multiaddrs }: BootstrapPeer): string {
  return id ?? multiaddrs.join();
}
