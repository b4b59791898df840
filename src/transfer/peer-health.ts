import type { Digest } from '../oci/digest.ts';
import type { Peer } from '../routing/router.ts';
import type { PeerStanding } from '../routing/why-report.ts';
import type { Clock } from '../runtime/clock.ts';
import { createKeyedBackoff } from '../runtime/keyed-backoff.ts';
import { lruSet } from '../runtime/lru-set.ts';
import {
  ADDRESSES_PER_PEER,
  PEER_HEALTH_ENTRIES,
  PEER_SKIP_INITIAL_MS,
  PEER_SKIP_MAX_MS,
} from './budgets.ts';
import { createWrongPeers, type Giver } from './wrong-peers.ts';
import { createSlowHosts, type HostStanding } from './slow-hosts.ts';

/**
 * Remembers which peers failed lately, over all keys. A peer at other addresses counts as another one: the addresses
 * are what somebody said of it, and a lie about them must not take away the peer.
 */
export interface PeerHealth {
  /** True if the peer is left alone for now, even if no other is left; with a key also if only for that content. */
  skips(peer: Peer, key?: string): boolean;
  /**
   * True for a peer that is asked only when no other is left: it was late and nothing worse, or slow a while ago, or it is to be
   * probed.
   */
  goesLast(peer: Peer): boolean;
  /** True for a peer that was left alone for long enough, and has not answered since: a probe tells whether it is there. */
  isToProbe(peer: Peer): boolean;
  /** The peer has answered a probe: it is asked like others. That it failed is remembered until it has done what it was asked to. */
  answeredProbe(peer: Peer): void;
  /** Whether it is skipped or goes last, with what is held against it. */
  standing(peer: Peer): Omit<PeerStanding, 'bytesPerSecond'>;
  /** The peer did not answer, answered wrongly, or broke in mid-body; `late`: it took the request and was late. */
  failed(peer: Peer, how?: 'late'): void;
  /** What this address of a peer gave was too little. */
  wasSlow(host: string): void;
  /** This address kept up with a body that was long enough to tell. */
  keptUp(host: string): void;
  /** See WrongPeers.gaveWrong(). */
  gaveWrong(digest: Digest, givers: readonly Giver[], isSure: boolean): void;
  /** The peer did what it was asked to. */
  succeeded(peer: Peer): void;
  /** The peer of this ID is there (again): it is not left alone any longer, at whatever addresses it failed. */
  returned(peerId: string): void;
}

/** Each failure in a row doubles the time for which the peer is skipped, from 1 s to 1 min; a success clears it. */
export function createPeerHealth(clock: Clock): PeerHealth {
  const failures = createKeyedBackoff(() => clock.nowMs(), {
    initialMs: PEER_SKIP_INITIAL_MS,
    maxMs: PEER_SKIP_MAX_MS,
    maxKeys: PEER_HEALTH_ENTRIES,
  });
  /** Peers whose last failure was that they were late, and nothing worse. */
  const late = new Map<string, true>();
  /** Peers that have answered a probe since they failed. */
  const probed = new Map<string, true>();
  const slowHosts = createSlowHosts(clock);
  const wrongPeers = createWrongPeers(clock);
  const hasFailed = (peer: Peer, how: 'late' | 'badly') => {
    const identity = identityOf(peer);
    return failures.isWaiting(identity) && late.has(identity) === (how === 'late');
  };
  const hasHost = (peer: Peer, standing: HostStanding) =>
    addressesOf(peer).some((host) => slowHosts.standing(host) === standing);
  const isToProbe = (peer: Peer) => {
    const identity = identityOf(peer);
    return (
      failures.has(identity) && !failures.isWaiting(identity) && !late.has(identity) && !probed.has(identity)
    );
  };
  return {
    skips: (peer, key = '') =>
      hasFailed(peer, 'badly') || hasHost(peer, 'skipped') || wrongPeers.bans(peer, key),
    gaveWrong: (digest, givers, isSure) => wrongPeers.gaveWrong(digest, givers, isSure),
    goesLast: (peer) => hasFailed(peer, 'late') || hasHost(peer, 'last') || isToProbe(peer),
    isToProbe,
    answeredProbe: (peer) => lruSet(probed, identityOf(peer), true, PEER_HEALTH_ENTRIES),
    standing(peer) {
      if (hasFailed(peer, 'badly')) return { order: 'skipped', why: 'failed' };
      if (hasHost(peer, 'skipped')) return { order: 'skipped', why: 'slow' };
      if (isToProbe(peer)) return { order: 'last', why: 'failed' };
      if (hasFailed(peer, 'late')) return { order: 'last', why: 'late' };
      return hasHost(peer, 'last') ? { order: 'last', why: 'slow' } : { order: 'first', why: undefined };
    },
    wasSlow: (host) => slowHosts.wasSlow(host),
    keptUp: (host) => slowHosts.keptUp(host),
    failed(peer, how) {
      const identity = identityOf(peer);
      // Requests in parallel fail together when a node dies: that is one failure, and the worst of them counts.
      const isFirst = failures.start(identity);
      probed.delete(identity);
      if (how !== 'late') late.delete(identity);
      else if (isFirst) lruSet(late, identity, true, PEER_HEALTH_ENTRIES);
    },
    succeeded(peer) {
      const identity = identityOf(peer);
      failures.forget(identity);
      late.delete(identity);
      probed.delete(identity);
    },
    returned(peerId) {
      // That it failed is kept: a peer whose router comes and goes while its registry is dead is left alone for ever longer.
      failures.endWaits((identity) => identity.startsWith(`${peerId} `));
    },
  };
}

function identityOf(peer: Peer): string {
  return [peer.id, ...addressesOf(peer)].join(' ');
}

function addressesOf({ addresses }: Peer): readonly string[] {
  return addresses.slice(0, ADDRESSES_PER_PEER);
}
