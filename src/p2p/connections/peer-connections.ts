import type { Libp2p, PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr';

import { MAX_IPS_PER_PEER } from '../../dht/limits.ts';
import { formatPeerAddress, parsePeerAddress } from '../../dht/wire/peer-address.ts';
import { createReconnector } from '../../dht/peers/reconnector.ts';
import type { Logger } from '../../observe/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import { lruSet } from '../../runtime/lru-set.ts';
import { DIAL_TIMEOUT_MS } from '../limits.ts';

const SECOND_MS = 1000;
/** Time to end a connection in an orderly way. */
const PARTING_MS = SECOND_MS;
/** Lost peers that are remembered: a peer that comes with ever new identities must not fill the peer store. */
const MAX_LOST_PEERS = 1000;
/** Of these, peers whose addresses and keys are kept: to be dialled where no other peer says where they are. */
const MAX_STORED_PEERS = 256;

/** What createPeerConnections needs. */
export interface PeerConnectionsDeps {
  readonly libp2p: Libp2p;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called when a peer that has lost its connection, or was probed, cannot be dialled. */
  readonly onUnreachable: (peer: PeerId) => void;
}

/** Keeps the connections: dials peers again that were lost, and drops peers that have left. */
export interface PeerConnections extends AsyncDisposable {
  /** Time since the last contact with a peer that is not connected now, in ms; undefined if there was none. */
  sinceContactMs(peerId: string): number | undefined;
  /**
   * Tries to reach a peer that counts as dead and that another peer names: it may have come back. Works in the
   * background, and not often.
   */
  probe(peer: PeerId, addresses: readonly Uint8Array[]): void;
  /** Takes a peer that has said that it leaves, or does not answer, for dead: it is not dialled until it is probed. */
  drop(peer: PeerId): void;
  /** The connections to the peer are about to end, which is not a loss. `isOurs`: this node ends them. */
  part(peer: PeerId, isOurs: boolean): void;
  /** Forgets the last contact with peers that `keep` says no to. */
  forget(keep: (peerId: string) => boolean): void;
}

/** Starts to look after the connections of the node, see createReconnector. */
export function createPeerConnections({
  libp2p,
  logger,
  clock,
  onUnreachable,
}: PeerConnectionsDeps): PeerConnections {
  /** Where the peer was before, its ID included. */
  const stored = async (peer: PeerId) => {
    const known = await libp2p.peerStore.get(peer).catch(() => undefined);
    return (known?.addresses ?? []).map((address) =>
      address.multiaddr.decapsulateCode(CODE_P2P).encapsulate(`/p2p/${peer.toString()}`),
    );
  };
  const lastContact = new Map<string, number>();
  /** Peers that have lost their last connection, the latest last. */
  const lost = new Map<string, PeerId>();
  const keeping = createReconnector({
    network: {
      isConnected: (id) => libp2p.getConnections(peerIdFromString(id)).length > 0,
      async dial(id, addresses, stopped) {
        const signal = AbortSignal.any([stopped, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
        const peer = peerIdFromString(id);
        // An IP and a port; libp2p checks that the peer answers there, and the gate that a member may be there.
        const named = addresses
          .flatMap((bytes) => parsePeerAddress(bytes) ?? [])
          .map((address) => multiaddr(formatPeerAddress(address)).encapsulate(`/p2p/${id}`));
        if (named.length === 0) await libp2p.dial(peer, { signal });
        else await libp2p.dial([...named.slice(0, MAX_IPS_PER_PEER), ...(await stored(peer))], { signal });
      },
      close(id) {
        for (const connection of libp2p.getConnections(peerIdFromString(id))) {
          connection.abort(new Error('The peer has left, or does not answer'));
        }
      },
    },
    logger,
    clock,
    onUnreachable: (id) => onUnreachable(peerIdFromString(id)),
  });
  const onConnect = ({ detail: peer }: CustomEvent<PeerId>) => keeping.connected(peer.toString());
  const onDisconnect = ({ detail: peer }: CustomEvent<PeerId>) => {
    const id = peer.toString();
    lruSet(lastContact, id, clock.nowMs(), MAX_LOST_PEERS);
    lruSet(lost, id, peer, MAX_STORED_PEERS, (_, oldest) => {
      // A peer that comes with ever new identities must not fill the peer store until it is tidied up.
      if (libp2p.getConnections(oldest).length === 0) void libp2p.peerStore.delete(oldest).catch(() => {});
    });
    keeping.disconnected(id);
  };
  libp2p.addEventListener('peer:connect', onConnect);
  libp2p.addEventListener('peer:disconnect', onDisconnect);

  return {
    sinceContactMs(peerId) {
      const atMs = lastContact.get(peerId);
      return atMs === undefined ? undefined : clock.nowMs() - atMs;
    },
    probe: (peer, addresses) => keeping.probe(peer.toString(), addresses),
    drop: (peer) => keeping.drop(peer.toString()),
    part(peer, isOurs) {
      keeping.parting(peer.toString());
      if (!isOurs) return;
      for (const connection of libp2p.getConnections(peer)) {
        // Not reset: what has been said is still to arrive.
        connection.close({ signal: AbortSignal.timeout(PARTING_MS) }).catch((error: unknown) => {
          connection.abort(error as Error);
        });
      }
    },
    forget(keep) {
      for (const peerId of lastContact.keys()) if (!keep(peerId)) lastContact.delete(peerId);
    },
    async [Symbol.asyncDispose]() {
      libp2p.removeEventListener('peer:connect', onConnect);
      libp2p.removeEventListener('peer:disconnect', onDisconnect);
      await keeping[Symbol.asyncDispose]();
    },
  };
}
