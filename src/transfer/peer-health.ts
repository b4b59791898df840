import type { Peer } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  ADDRESSES_PER_PEER,
  PEER_HEALTH_ENTRIES,
  PEER_SKIP_INITIAL_MS,
  PEER_SKIP_MAX_MS,
} from './budgets.ts';
import { createSlowHosts, type HostStanding } from './slow-hosts.ts';

/**
 * Remembers which peers failed lately, over all keys. A peer at other addresses counts as another one: the addresses
 * are what somebody said of it, and a lie about them must not take away the peer.
 */
export interface PeerHealth {
  /** True if the peer is left alone for now, even if nobody else is left. */
  skips(peer: Peer): boolean;
  /** True for one that is asked only when nobody else is left: it was late and nothing worse, or slow a while ago. */
  goesLast(peer: Peer): boolean;
  /** The peer did not answer, answered wrongly, or broke in mid-body; `late`: it took the request and was late. */
  failed(peer: Peer, how?: 'late'): void;
  /** What this address of a peer gave was too little. */
  wasSlow(host: string): void;
  /** This address kept up with a body that was long enough to tell. */
  keptUp(host: string): void;
  /** The peer did what it was asked to. */
  succeeded(peer: Peer): void;
  /** The peer of this ID is there (again): it is not left alone any longer, at whatever addresses it failed. */
  returned(peerId: string): void;
}

/** Each failure in a row doubles the time for which the peer is skipped, from 1 s to 1 min; a success clears it. */
export function createPeerHealth(clock: Clock): PeerHealth {
  const failures = new Map<string, { skipMs: number; untilMs: number; isLate: boolean }>();
  const slowHosts = createSlowHosts(clock);
  const failureOf = (peer: Peer) => {
    const failure = failures.get(identityOf(peer));
    return failure !== undefined && clock.nowMs() < failure.untilMs ? failure : undefined;
  };
  const hasHost = (peer: Peer, standing: HostStanding) =>
    addressesOf(peer).some((host) => slowHosts.standing(host) === standing);
  return {
    skips: (peer) => failureOf(peer)?.isLate === false || hasHost(peer, 'skipped'),
    goesLast: (peer) => failureOf(peer)?.isLate === true || hasHost(peer, 'last'),
    wasSlow: (host) => slowHosts.wasSlow(host),
    keptUp: (host) => slowHosts.keptUp(host),
    failed(peer, how) {
      const peerId = identityOf(peer);
      const before = failures.get(peerId);
      const nowMs = clock.nowMs();
      // Requests in parallel fail together when a node dies: that is one failure.
      if (before !== undefined && nowMs < before.untilMs) {
        before.isLate &&= how === 'late';
        return;
      }
      const skipMs =
        before === undefined ? PEER_SKIP_INITIAL_MS : Math.min(before.skipMs * 2, PEER_SKIP_MAX_MS);
      failures.delete(peerId);
      failures.set(peerId, { skipMs, untilMs: nowMs + skipMs, isLate: how === 'late' });
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

function identityOf(peer: Peer): string {
  return [peer.id, ...addressesOf(peer)].join(' ');
}

function addressesOf({ addresses }: Peer): readonly string[] {
  return addresses.slice(0, ADDRESSES_PER_PEER);
}
