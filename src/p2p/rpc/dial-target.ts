import type { Libp2p, PeerId } from '@libp2p/interface';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';

import type { NamedPeer } from '../../dht/wire/dht-message.ts';
import { parseAddress, peerIps } from '../addresses/peer-addresses.ts';
import { peerOf } from '../peer-names.ts';

/**
 * What to dial: the peer by its ID where it is connected or known, else the addresses that another peer named.
 * libp2p checks that the ID answers there. Throws when none of the addresses can be dialled.
 */
export function dialTarget(
  { id, addresses }: NamedPeer,
  libp2p: Pick<Libp2p, 'getConnections'>,
  allowLoopback: boolean,
): PeerId | Multiaddr[] {
  const peer = peerOf(id);
  if (addresses.length === 0 || libp2p.getConnections(peer).length > 0) return peer;
  const usable = addresses.flatMap((bytes) => {
    const address = parseAddress(bytes);
    if (address === undefined || peerIps([address], allowLoopback).length === 0) return [];
    // Only the IP and the port: what else the address says (a relay, another ID) is not followed.
    const [ip, tcp] = address.getComponents();
    return [multiaddr(`/${ip?.name}/${ip?.value}/tcp/${tcp?.value}/p2p/${peer.toString()}`)];
  });
  if (usable.length === 0) throw new Error('The peer was named without an address that can be dialled');
  return usable;
}
