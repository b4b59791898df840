import type { PeerData, PeerId, PeerStore } from '@libp2p/interface';
import { MAX_ADDRESSES_PER_PEER } from '../../dht/limits.ts';

/**
 * Bounds what is kept of a peer's addresses. Whatever a peer claims in a DHT message goes into the peer store:
 * without a bound one message with 20,000 addresses was seen to cost 300 MiB and to hold the process up for 10 s.
 */
export function boundPeerStore(peerStore: PeerStore): void {
  const merge = peerStore.merge.bind(peerStore);
  const patch = peerStore.patch.bind(peerStore);
  const save = peerStore.save.bind(peerStore);
  peerStore.save = (id, data, options) => save(id, bounded(data), options);
  peerStore.patch = (id, data, options) => patch(id, bounded(data), options);
  peerStore.merge = async (id: PeerId, data: PeerData, options) => {
    const peer = await merge(id, bounded(data), options);
    if (peer.addresses.length <= MAX_ADDRESSES_PER_PEER) return peer;
    // What was said last is what holds now: a node whose address changes often would fill it up, too.
    const kept = data.multiaddrs ?? peer.addresses.map(({ multiaddr }) => multiaddr);
    return patch(id, bounded({ multiaddrs: [...kept] }), options);
  };
}

function bounded(data: PeerData): PeerData {
  const { multiaddrs, addresses } = data;
  return {
    ...data,
    ...(multiaddrs === undefined ? {} : { multiaddrs: multiaddrs.slice(0, MAX_ADDRESSES_PER_PEER) }),
    ...(addresses === undefined ? {} : { addresses: addresses.slice(0, MAX_ADDRESSES_PER_PEER) }),
  };
}
