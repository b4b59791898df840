import type { IdentifyResult, Libp2p, PeerId } from '@libp2p/interface';

import type { DhtNode } from '../../dht/dht-node-contract.ts';
import { FLIGHT_PROTOCOL, KAD_PROTOCOL, NOTICE_PROTOCOL } from '../limits.ts';
import { idOf } from '../peer-names.ts';

/** Tells the DHT's node which peers that speak its protocol are connected; call the result to end that. */
export function followConnections(
  libp2p: Pick<Libp2p, 'addEventListener' | 'removeEventListener' | 'getConnections'>,
  dht: Pick<DhtNode, 'connected' | 'disconnected'>,
): () => void {
  // Not through a topology of libp2p: that tells of the end of a connection later than of the start of the next.
  const onIdentify = ({ detail: { peerId, protocols, listenAddrs } }: CustomEvent<IdentifyResult>) => {
    if (!protocols.includes(KAD_PROTOCOL) || libp2p.getConnections(peerId).length === 0) return;
    dht.connected(idOf(peerId), {
      addresses: listenAddrs.map(({ bytes }) => bytes),
      capabilities: {
        notices: protocols.includes(NOTICE_PROTOCOL),
        flights: protocols.includes(FLIGHT_PROTOCOL),
      },
    });
  };
  const onDisconnect = ({ detail: peer }: CustomEvent<PeerId>) => {
    if (libp2p.getConnections(peer).length === 0) dht.disconnected(idOf(peer));
  };
  libp2p.addEventListener('peer:identify', onIdentify);
  libp2p.addEventListener('peer:disconnect', onDisconnect);
  return () => {
    libp2p.removeEventListener('peer:identify', onIdentify);
    libp2p.removeEventListener('peer:disconnect', onDisconnect);
  };
}
