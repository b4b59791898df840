import type { Peer } from '../routing/router.ts';
import { lruSet } from '../runtime/lru-set.ts';
import { ADDRESSES_PER_PEER, PEER_ZONE_HOSTS } from './budgets.ts';

/** Where a peer is, as seen from this node. `unknown`: one of the two does not say where it is. */
export type ZoneStanding = 'own' | 'other' | 'unknown';

/** Where peers are. */
export interface PeerZones {
  /** The peer's zone: what it told the router, else what an answer from its address said; undefined: not known. */
  zoneOf(peer: Peer): string | undefined;
  standing(peer: Peer): ZoneStanding;
  /** True for a peer that is asked after those of this node's zone. Never where this node does not know its own. */
  isFar(peer: Peer): boolean;
  /**
   * An answer from this address named a zone. Only what has no connection to this node is asked before it said so: a
   * provider that is known from a record.
   */
  learn(host: string, zone: string): void;
}

/** Knows no peer's zone yet. `own`: where this node is; undefined: that is not known. */
export function createPeerZones(own: string | undefined): PeerZones {
  /** By address: what answers there can only speak for itself. The zone that was learned last comes last. */
  const learned = new Map<string, string>();
  const zoneOf = ({ zone, addresses }: Peer): string | undefined => {
    if (zone !== undefined) return zone;
    for (const host of addresses.slice(0, ADDRESSES_PER_PEER)) {
      const said = learned.get(host);
      if (said !== undefined) return said;
    }
    return undefined;
  };
  return {
    zoneOf,
    standing(peer) {
      const zone = own === undefined ? undefined : zoneOf(peer);
      if (zone === undefined) return 'unknown';
      return zone === own ? 'own' : 'other';
    },
    isFar: (peer) => own !== undefined && zoneOf(peer) !== own,
    learn(host, zone) {
      if (learned.get(host) !== zone) lruSet(learned, host, zone, PEER_ZONE_HOSTS);
    },
  };
}
