import type { Connection, ConnectionGater, PeerId } from '@libp2p/interface';
import { CODE_P2P, type Multiaddr, multiaddr } from '@multiformats/multiaddr';

import { lruSet } from '../../runtime/lru-set.ts';
import type { Membership } from '../../membership/membership.ts';
import { ipOf } from '../addresses/peer-addresses.ts';
import { type GateListener, type GuardedHost, guardHost } from './guard-host.ts';
import { createPendingRecords } from './pending-records.ts';

/** Applies a membership to a libp2p host: which peers it connects to, lets in, and counts as peers of the DHT. */
export interface MembershipGate {
  /** For createLibp2p. */
  readonly connectionGater: ConnectionGater;
  /**
   * Allows to dial a name, given as a multiaddr without a peer ID: bootstrapping is told such names. A name that a peer
   * tells is never dialled.
   */
  trust(address: string): void;
  /**
   * True if the peer has been met at an address that is a member's now: it may be handed out, and its records count.
   */
  isMember(peer: PeerId): boolean;
  /**
   * False for a peer that is connected as a pending peer. True for a peer that is not connected: dialling shows what it
   * is.
   */
  mayAsk(peer: PeerId): boolean;
  /**
   * True if a record of the peer may be kept: of a member always, of a pending peer while all of these have few
   * records.
   */
  mayRecord(peer: PeerId): boolean;
  /** The addresses among these that are a member's: no other address may be used or handed on. */
  admitted(multiaddrs: readonly Multiaddr[]): Multiaddr[];
  /** Starts to watch the host; call the result to end that. */
  guard(host: GuardedHost, listener: GateListener): () => void;
}

/** Peers whose addresses are remembered: more than any cluster has nodes. */
const MAX_MET = 8192;
/** Addresses of one peer: two interfaces with both families. */
const MAX_MET_ADDRESSES = 4;

/** Records that all pending peers together may leave where nothing else is said. */
const MAX_PENDING_RECORDS = 20_000;

/**
 * Makes the gate. `maxPendingRecords`: what all pending peers together may leave here; it counts as soon as its
 * provider is a member.
 */
export function createMembershipGate(
  membership: Membership,
  { maxPendingRecords = MAX_PENDING_RECORDS }: { readonly maxPendingRecords?: number } = {},
): MembershipGate {
  const trusted = new Set<string>();
  /** Peer ID -> addresses at which it proved to be; the peer that was met last comes last. */
  const met = new Map<string, Set<string>>();
  const pending = createPendingRecords(maxPendingRecords);
  let connectionsOf: (peer: PeerId) => readonly Connection[] = () => [];

  const isTrusted = (address: Multiaddr) => trusted.has(address.decapsulateCode(CODE_P2P).toString());
  /** Outbound connections have passed denyDialMultiaddr; but the peer there may have stopped being a member since. */
  const isAdmitted = ({ remoteAddr }: Connection) => {
    const ip = ipOf(remoteAddr);
    return ip === undefined ? isTrusted(remoteAddr) : membership.admits(ip);
  };
  const isMember = (peer: PeerId) =>
    connectionsOf(peer).some(isAdmitted) ||
    [...(met.get(peer.toString()) ?? [])].some((ip) => membership.admits(ip));
  const noteMet = (peer: PeerId, ip: string | undefined) => {
    const id = peer.toString();
    const addresses = met.get(id) ?? new Set<string>();
    lruSet(met, id, addresses, MAX_MET);
    if (ip === undefined) return;
    addresses.delete(ip);
    addresses.add(ip);
    makeRoom(addresses, MAX_MET_ADDRESSES);
  };

  return {
    connectionGater: {
      async denyDialMultiaddr(address) {
        const ip = ipOf(address);
        return ip === undefined ? !isTrusted(address) : !(await membership.knock(ip));
      },
      denyInboundConnection({ remoteAddr }) {
        const ip = ipOf(remoteAddr);
        return ip === undefined || membership.arrive(ip) === 'denied';
      },
      // What is not an IP and a port is not even kept: libp2p would ask the name server for some names.
      filterMultiaddrForPeer: (_peer, address) => ipOf(address) !== undefined || isTrusted(address),
    },
    trust(address) {
      // Members' addresses change all the time, and need no trust.
      if (ipOf(multiaddr(address)) === undefined) trusted.add(address);
    },
    isMember,
    mayAsk: (peer) => connectionsOf(peer).length === 0 || isMember(peer),
    mayRecord: (peer) => (pending.get(peer) === undefined ? isMember(peer) : pending.takeRecord(peer)),
    admitted: (multiaddrs) =>
      multiaddrs.filter((address) => {
        const ip = ipOf(address);
        return ip !== undefined && membership.admits(ip);
      }),
    guard(host, listener) {
      connectionsOf = (peer) => host.getConnections(peer);
      return guardHost({ host, membership, pending, isAdmitted, isMember, noteMet }, listener);
    },
  };
}

/** Drops what came first when there is more than the bound. */
function makeRoom(items: Set<string>, bound: number): void {
  if (items.size <= bound) return;
  const [first] = items;
  if (first !== undefined) items.delete(first);
}
