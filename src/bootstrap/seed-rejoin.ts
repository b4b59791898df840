import type { Clock } from '../runtime/clock.ts';
import type { BootstrapPeer } from './bootstrapper.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** Longest time before the first search for a bootstrap peer that was lost, while others are there. */
const MISSED_INITIAL_MS = 2 * SECOND_MS;
/** In larger clusters it is so long for each peer: a missing peer is dialled by five nodes a second. */
const MISSED_PER_PEER_MS = 200;
/** How often it is doubled: when the peer is back, one node of a few is to find it within half a minute. */
const MISSED_DOUBLINGS = 4;
/** Longest time before any search, in clusters so large that one node of many finds the peer at once. */
const MISSED_MAX_MS = 5 * MINUTE_MS;

/** What createSeedRejoin needs. */
export interface SeedRejoinDeps {
  /** True while there is a connection to the peer, or it cannot be told. */
  readonly isConnected: (peer: BootstrapPeer) => boolean;
  /** Resolves when a connection has begun or ended; rejects when the signal aborts, or has before. */
  readonly changed: (signal: AbortSignal) => Promise<void>;
  /** Nodes that are connected: so many may miss the same peer. */
  readonly peerCount: () => number;
  /**
   * Looks for the followed peers that are missing. Resolves to the peers to follow then, whether or not it found them.
   */
  readonly search: (
    followed: readonly BootstrapPeer[],
    signal: AbortSignal,
  ) => Promise<readonly BootstrapPeer[]>;
  readonly clock: Clock;
  /** A number from 0 up to, not including, 1. */
  readonly random: () => number;
}

/** Looks for peers that were connected and are lost, see createSeedRejoin. */
export interface SeedRejoin {
  /** Watches these peers instead of the peers of before. */
  follow(peers: readonly BootstrapPeer[]): void;
  /** Searches now and then while a peer is missing. Rejects when the signal aborts. */
  watch(signal: AbortSignal): Promise<never>;
}

/**
 * Makes a rejoin. It does not miss peers that never were connected. It waits for a random time before each search: the
 * whole cluster may miss the same peer, which needs one node that finds it, and not all of them at once. The time is
 * longer after the first searches, also for a peer that comes and goes.
 */
export function createSeedRejoin({
  isConnected,
  changed,
  peerCount,
  search,
  clock,
  random,
}: SeedRejoinDeps): SeedRejoin {
  let followed: readonly BootstrapPeer[] = [];
  let met = new Set<string>();
  let searches = 0;
  let lastSearchMs = -Infinity;
  const isMissing = (peer: BootstrapPeer) => {
    const isThere = isConnected(peer);
    if (isThere) met.add(nameOf(peer));
    return !isThere && met.has(nameOf(peer));
  };
  // All of them: peers that are met are noted on the way.
  const isOneMissing = () => followed.filter(isMissing).length > 0;
  const nextWaitMs = () => {
    if (clock.nowMs() - lastSearchMs > 2 * MISSED_MAX_MS) searches = 0;
    const firstMs = Math.max(MISSED_INITIAL_MS, peerCount() * MISSED_PER_PEER_MS);
    return random() * Math.min(firstMs * 2 ** Math.min(searches, MISSED_DOUBLINGS), MISSED_MAX_MS);
  };
  const follow = (peers: readonly BootstrapPeer[]) => {
    followed = peers;
    met = met.intersection(new Set(peers.map(nameOf)));
  };
  return {
    follow,
    async watch(signal) {
      for (;;) {
        if (!isOneMissing()) await changed(signal);
        // Not looked at for each change: there is a change for each node of a cluster that starts.
        await clock.sleep(LOOK_MS, signal);
        if (!isOneMissing()) continue;
        await clock.sleep(nextWaitMs(), signal);
        if (!isOneMissing()) continue;
        lastSearchMs = clock.nowMs();
        searches++;
        follow(await search(followed, signal));
        signal.throwIfAborted();
      }
    },
  };
}

/** So long a peer has to be missing: a peer that restarts is not back before. In ms. */
const LOOK_MS = 1000;

function nameOf({ id, multiaddrs }: BootstrapPeer): string {
  return id ?? multiaddrs.join();
}
