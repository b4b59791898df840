import type { Libp2p } from '@libp2p/interface';

import type { DhtNetwork } from '../dht/dht-node-contract.ts';
import type { PeerGate } from '../dht/peers/peer-book-contract.ts';
import { originOf } from './addresses/peer-addresses.ts';
import { latestConnection } from './connections/latest-connection.ts';
import type { MembershipGate } from './connections/membership-gate.ts';
import type { PeerConnections } from './connections/peer-connections.ts';
import { peerNamed, peerOf } from './peer-names.ts';
import { sendNotice } from './rpc/notice-streams.ts';
import type { RpcClient } from './rpc/rpc-client.ts';

/** What createDhtNetwork needs. */
export interface DhtNetworkDeps {
  readonly libp2p: Pick<Libp2p, 'getConnections'>;
  readonly client: RpcClient;
  readonly peerConnections: PeerConnections;
}

/** Reaches other nodes for the DHT's node over libp2p. */
export function createDhtNetwork({ libp2p, client, peerConnections }: DhtNetworkDeps): DhtNetwork {
  return {
    ask: async (peer, multihash) => client.ask(peer, multihash),
    findNode: async (peer, key) => client.findNode(peer, key),
    connect: async (peer) => client.connect(peer),
    deliver: async (peer, messages) => client.deliver(peer, messages),
    isSilent: (peer) => client.isSilent(peer),
    heard: (name) => client.heard(peerNamed(name)),
    notify: async (peer, notice) => sendNotice(libp2p, peer, notice),
    probe: ({ id, addresses }) => peerConnections.probe(peerOf(id), addresses),
    drop: (name) => peerConnections.drop(peerNamed(name)),
    part: (name, isOurs) => peerConnections.part(peerNamed(name), isOurs),
  };
}

/** What createPeerGate needs. */
export interface PeerGateDeps {
  readonly libp2p: Pick<Libp2p, 'getConnections'>;
  readonly gate: MembershipGate;
  /** See PeerGate. */
  readonly isUsable: (ip: Uint8Array) => boolean;
}

/** Says to the DHT's node which peers belong to the cluster. */
export function createPeerGate({ libp2p, gate, isUsable }: PeerGateDeps): PeerGate {
  return {
    isMember: (id) => gate.isMember(peerOf(id)),
    mayRecord: (id) => gate.mayRecord(peerOf(id)),
    originOf(id) {
      const connection = latestConnection(libp2p, peerOf(id));
      return connection === undefined ? undefined : originOf(connection.remoteAddr);
    },
    isUsable,
  };
}
