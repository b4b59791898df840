import type { IdentifyResult, Libp2p, PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';

import { MAX_ADDRESSES_PER_PEER, MAX_KNOWN_PEERS } from '../dht/limits.ts';
import type { Liveness } from '../dht/liveness.ts';
import { parsePeerAddress } from '../dht/peer-address.ts';
import type { PeerTable } from '../dht/peer-table.ts';
import { KAD_PROTOCOL, MAX_IPS_PER_PEER } from './limits.ts';

/** Who may be a peer of the DHT. */
export interface PeerGate {
  /** True if the peer, which is connected, belongs to the cluster. */
  isMember(peer: PeerId): boolean;
  /** True if others may be sent to the address. */
  isUsable(ip: Uint8Array): boolean;
}

/** What createPeerDirectory needs. */
export interface PeerDirectoryDeps {
  readonly libp2p: Pick<Libp2p, 'addEventListener' | 'removeEventListener' | 'getConnections'>;
  readonly peers: PeerTable;
  readonly liveness: Liveness;
  readonly gate: PeerGate;
  /** Called for each peer that enters the table, also when it comes back. */
  readonly onJoined: (name: string) => void;
}

/** Keeps the table of peers in step with who is connected and speaks the DHT's protocol. */
export interface PeerDirectory extends Disposable {
  /**
   * Takes note of the addresses that a connected peer gives of itself. True if one of them makes sense; whether others
   * may be sent there is decided when they are.
   */
  introduce(id: Uint8Array, addresses: readonly Uint8Array[]): boolean;
  /** Asks the gate again, about everybody who is connected. */
  reconsider(): void;
  /** Forgets the peer, until it connects again. */
  forget(name: string): void;
}

/** Starts to follow the host's connections. */
export function createPeerDirectory({
  libp2p,
  peers,
  liveness,
  gate,
  onJoined,
}: PeerDirectoryDeps): PeerDirectory {
  /** Peers that are connected and speak the protocol, members or not. */
  const present = new Map<string, PeerId>();
  /** What peers say of themselves, who was heard last comes last. */
  const claimed = new Map<string, readonly Uint8Array[]>();

  const usable = (addresses: readonly Uint8Array[]) => {
    const byIp = new Map<string, Uint8Array>();
    for (const bytes of addresses) {
      const address = parsePeerAddress(bytes);
      if (address === undefined || !gate.isUsable(address.ip)) continue;
      const ip = address.ip.toHex();
      if (!byIp.has(ip)) byIp.set(ip, bytes);
    }
    return [...byIp.values()].slice(0, MAX_IPS_PER_PEER);
  };
  const claim = (name: string, addresses: readonly Uint8Array[]) => {
    claimed.delete(name);
    claimed.set(
      name,
      addresses.slice(0, MAX_ADDRESSES_PER_PEER).map((bytes) => Uint8Array.from(bytes)),
    );
    if (claimed.size <= MAX_KNOWN_PEERS) return;
    for (const each of claimed.keys()) {
      if (present.has(each)) continue;
      claimed.delete(each);
      return;
    }
  };
  const admit = (name: string, peer: PeerId) => {
    if (!gate.isMember(peer)) {
      peers.remove(name);
      return;
    }
    const isNew = peers.get(name)?.isConnected !== true;
    const addresses = usable(claimed.get(name) ?? []);
    if (!peers.put(peer.toMultihash().bytes, { addresses, isConnected: true }) || !isNew) return;
    onJoined(name);
  };
  // Not through a topology of libp2p: that tells of the end of a connection later than of the next one's start.
  const onIdentify = ({ detail: { peerId, protocols, listenAddrs } }: CustomEvent<IdentifyResult>) => {
    if (!protocols.includes(KAD_PROTOCOL) || libp2p.getConnections(peerId).length === 0) return;
    const name = nameOf(peerId);
    present.set(name, peerId);
    liveness.connected(name);
    claim(
      name,
      listenAddrs.map(({ bytes }) => bytes),
    );
    admit(name, peerId);
  };
  const onDisconnect = ({ detail: peer }: CustomEvent<PeerId>) => {
    const name = nameOf(peer);
    if (libp2p.getConnections(peer).length > 0 || !present.delete(name)) return;
    liveness.lost(name);
    if (peers.get(name) !== undefined) peers.put(peer.toMultihash().bytes, { isConnected: false });
  };
  libp2p.addEventListener('peer:identify', onIdentify);
  libp2p.addEventListener('peer:disconnect', onDisconnect);

  return {
    introduce(id, addresses) {
      const sensible = addresses.filter((bytes) => parsePeerAddress(bytes) !== undefined);
      if (sensible.length === 0) return false;
      const name = id.toHex();
      claim(name, sensible);
      const peer = present.get(name);
      if (peer !== undefined) admit(name, peer);
      return true;
    },
    reconsider() {
      for (const [name, peer] of present) admit(name, peer);
      for (const { name, id } of peers.all()) {
        if (!present.has(name)) peers.put(id, { addresses: usable(claimed.get(name) ?? []) });
      }
    },
    forget(name) {
      peers.remove(name);
    },
    [Symbol.dispose]() {
      libp2p.removeEventListener('peer:identify', onIdentify);
      libp2p.removeEventListener('peer:disconnect', onDisconnect);
    },
  };
}

/** How the DHT's room names a peer. */
export function nameOf(peer: PeerId): string {
  return peer.toMultihash().bytes.toHex();
}

/** The address in binary. */
export function addressBytes(address: string): Uint8Array {
  return multiaddr(address).bytes;
}
