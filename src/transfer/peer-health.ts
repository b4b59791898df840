import type { Peer } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  ADDRESSES_PER_PEER,
  PEER_HEALTH_ENTRIES,
  PEER_SKIP_INITIAL_MS,
  PEER_SKIP_MAX_MS,
} from './budgets.ts';

/**
 * Remembers which peers failed lately, over all keys. A peer at other addresses counts as another one: the addresses
 * are what somebody said of it, and a lie about them must not take away the peer.
 */
export interface PeerHealth {
  /** True if the peer should be left alone for now. */
  skips(peer: Peer): boolean;
  /** True for one to be left alone that was slow and nothing worse: better than nobody. */
  isSlow(peer: Peer): boolean;
  /** The peer did not answer, answered wrongly, or broke in mid-body; `slow`: it took the request and was late. */
  failed(peer: Peer, how?: 'slow'): void;
  /** The peer did what it was asked to. */
  succeeded(peer: Peer): void;
  /** The peer of this ID is there (again): it is not left alone any longer, at whatever addresses it failed. */
  returned(peerId: string): void;
}

/** Each failure in a row doubles the time for which the peer is skipped, from 1 s to 1 min; a success clears it. */
export function createPeerHealth(clock: Clock): PeerHealth {
  const failures = new Map<string, { skipMs: number; untilMs: number; isSlow: boolean }>();
  return {
    skips(peer) {
      const failure = failures.get(identityOf(peer));
      return failure !== undefined && clock.nowMs() < failure.untilMs;
    },
    isSlow: (peer) => failures.get(identityOf(peer))?.isSlow === true,
    failed(peer, how) {
      const peerId = identityOf(peer);
      const before = failures.get(peerId);
      const nowMs = clock.nowMs();
      // Requests in parallel fail together when a node dies: that is one failure.
      if (before !== undefined && nowMs < before.untilMs) {
        before.isSlow &&= how === 'slow';
        return;
      }
      const skipMs =
        before === undefined ? PEER_SKIP_INITIAL_MS : Math.min(before.skipMs * 2, PEER_SKIP_MAX_MS);
      failures.delete(peerId);
      failures.set(peerId, { skipMs, untilMs: nowMs + skipMs, isSlow: how === 'slow' });
      if (failures.size > PEER_HEALTH_ENTRIES) {
        const oldest = failures.keys().next();
        if (oldest.done !== true) failures.delete(oldest.value);
      }
    },
    succeeded(peer) {
      failures.delete(identityOf(peer));
    },
    returned(peerId) {
      for (const [identity, failure] of failures) {
        // That it failed is kept: one whose router comes and goes while its registry is dead is left alone for ever longer.
        if (identity.startsWith(`${peerId} `)) failure.untilMs = 0;
      }
    },
  };
}

function identityOf({ id, addresses }: Peer): string {
  return [id, ...addresses.slice(0, ADDRESSES_PER_PEER)].join(' ');
}
