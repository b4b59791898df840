import { formatPeerName } from './peer-name.ts';
import type { PageFacts } from './page-facts.ts';

/** What nodes are called on the page. */
export interface Names {
  /** By peer ID: the name, else the address, else the shortened ID. */
  ofPeer(id: string): string;
  /** By address: the name, else the address. `local` is this node. */
  ofAddress(address: string): string;
}

/** Knows this node and its peers. */
export function createNames({ health, peers }: Pick<PageFacts, 'health' | 'peers'>): Names {
  const byAddress = new Map<string, string>();
  for (const peer of peers.values()) {
    for (const address of peer.addresses) byAddress.set(address, formatPeerName(peer));
  }
  return {
    ofPeer(id) {
      if (id === health.self.id) return health.self.name ?? 'this node';
      return formatPeerName(peers.get(id) ?? { id, addresses: [] });
    },
    ofAddress: (address) => (address === 'local' ? 'this node' : (byAddress.get(address) ?? address)),
  };
}
