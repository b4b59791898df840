import type { Libp2p, Peer as StoredPeer } from '@libp2p/interface';
import { CODE_P2P } from '@multiformats/multiaddr';

import type { DhtNode } from '../dht/dht-node-contract.ts';
import type { Membership } from '../membership/membership.ts';
import type { PeerState } from '../routing/router.ts';
import { peerIps } from './addresses/peer-addresses.ts';
import type { MembershipGate } from './connections/membership-gate.ts';
import type { PeerConnections } from './connections/peer-connections.ts';
import { KAD_PROTOCOL } from './limits.ts';
import { nameOf } from './peer-names.ts';

/** What readPeerStates needs. */
export interface PeerStatesDeps {
  readonly libp2p: Pick<Libp2p, 'peerStore' | 'getConnections'>;
  readonly dht: Pick<DhtNode, 'lifeOf' | 'zoneOf' | 'nodeNameOf'>;
  readonly gate: Pick<MembershipGate, 'isMember'>;
  readonly membership: Pick<Membership, 'admits'>;
  readonly peerConnections: Pick<PeerConnections, 'sinceContactMs'>;
  readonly allowLoopback: boolean;
}

/** Every peer of the DHT that is in the peer store, with what is known of it at this moment. */
export async function readPeerStates(deps: PeerStatesDeps): Promise<readonly PeerState[]> {
  const stored = await deps.libp2p.peerStore.all({
    filters: [(peer) => peer.protocols.includes(KAD_PROTOCOL)],
  });
  return stored.map((peer) => stateOf(peer, deps));
}

function stateOf(
  { id: peer, addresses }: StoredPeer,
  { libp2p, dht, gate, membership, peerConnections, allowLoopback }: PeerStatesDeps,
): PeerState {
  const id = peer.toString();
  const multiaddrs = addresses.map((address) => address.multiaddr);
  const connected = libp2p.getConnections(peer).length > 0;
  const { life, forMs } = dht.lifeOf(nameOf(peer));
  return {
    id,
    addresses: peerIps(multiaddrs, allowLoopback).filter((ip) => membership.admits(ip)),
    multiaddrs: multiaddrs.map((address) => address.decapsulateCode(CODE_P2P).toString()),
    zone: dht.zoneOf(nameOf(peer)),
    name: dht.nodeNameOf(nameOf(peer)),
    connected,
    state: life === 'dead' || life === 'suspect' ? life : connected ? 'connected' : 'known',
    inStateMs: life === 'alive' && !connected ? undefined : forMs,
    isMember: gate.isMember(peer),
    // A failure detector, of this node or of others, probes each connected peer every few seconds: a dead peer has not
    // answered since.
    lastSeenMs: !connected ? peerConnections.sinceContactMs(id) : life === 'dead' ? forMs : 0,
  };
}
