import type { Peer } from '../routing/router.ts';
import { lruSet } from '../runtime/lru-set.ts';
import { ADDRESSES_PER_PEER, PEER_NAME_HOSTS } from './budgets.ts';

/** What peers are called that have said so in an answer only, because they have no connection to this node's router. */
export interface PeerNames {
  /** Undefined: no answer from an address of the peer has said it. */
  nameOf(peer: Pick<Peer, 'addresses'>): string | undefined;
  /** An answer from this address named its node. */
  learn(host: string, name: string): void;
}

/** Knows no peer's name yet. */
export function createPeerNames(): PeerNames {
  /** By address: what answers there can only speak for itself. The name that was learned last comes last. */
  const learned = new Map<string, string>();
  return {
    nameOf({ addresses }) {
      for (const host of addresses.slice(0, ADDRESSES_PER_PEER)) {
        const said = learned.get(host);
        if (said !== undefined) return said;
      }
      return undefined;
    },
    learn(host, name) {
      if (learned.get(host) !== name) lruSet(learned, host, name, PEER_NAME_HOSTS);
    },
  };
}
