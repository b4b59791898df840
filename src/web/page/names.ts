import type { LivePeer } from '../live-report.ts';
import type { PageFacts } from './page-facts.ts';
import { formatPeerName } from './peer-name.ts';
import { selfName } from './self-name.ts';

/** What nodes are called on the page. */
export interface Names {
  /** By peer ID: the name, else the address, else the end of the ID. */
  ofPeer(id: string): string;
  /** By address: the name, else the address. `local` is this node. */
  ofAddress(address: string): string;
}

/**
 * Knows this node and its peers. Nodes say themselves what they are called, so where several have the same name each is called by its
 * address, too.
 */
export function createNames({ health, peers }: Pick<PageFacts, 'health' | 'peers'>): Names {
  const users = new Map([[health.self.name, 1]]);
  for (const { name } of peers.values()) users.set(name, (users.get(name) ?? 0) + 1);
  const nameOf = (peer: Pick<LivePeer, 'id' | 'name' | 'addresses'>) => {
    const [address] = peer.addresses;
    const isShared = peer.name !== undefined && (users.get(peer.name) ?? 0) > 1;
    return isShared && address !== undefined ? `${peer.name} (${address})` : formatPeerName(peer);
  };
  const byAddress = new Map<string, LivePeer>();
  for (const peer of peers.values()) for (const address of peer.addresses) byAddress.set(address, peer);
  return {
    ofPeer: (id) =>
      id === health.self.id ? selfName(health) : nameOf(peers.get(id) ?? { id, addresses: [] }),
    ofAddress(address) {
      if (address === 'local') return 'this node';
      const peer = byAddress.get(address);
      return peer === undefined ? address : nameOf(peer);
    },
  };
}
