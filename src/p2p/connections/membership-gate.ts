import type { Connection, ConnectionGater, IdentifyResult, Libp2p, PeerId } from '@libp2p/interface';
import { CODE_P2P, type Multiaddr, multiaddr } from '@multiformats/multiaddr';

import { lruSet } from '../../runtime/lru-set.ts';
import { DIAL_TIMEOUT_MS } from '../limits.ts';
import type { Membership } from '../../membership/membership.ts';
import { ipOf } from '../addresses/peer-addresses.ts';

/** What the gate watches. */
export type GuardedHost = Pick<
  Libp2p,
  'addEventListener' | 'removeEventListener' | 'getConnections' | 'dial'
>;

/** Applies a membership to a libp2p host: whom it connects to, whom it lets in, and who counts as a peer of the DHT. */
export interface MembershipGate {
  /** For createLibp2p. */
  readonly connectionGater: ConnectionGater;
  /** Allows to dial a name, given as a multiaddr without a peer ID: what bootstrapping is told. What peers say never names one that is dialled. */
  trust(address: string): void;
  /** True if the peer has been met at an address that is a member's now: it may be handed out, and its records count. */
  isMember(peer: PeerId): boolean;
  /** False for a peer that is connected as a pending peer. True for one that is not connected: dialling it shows what it is. */
  mayAsk(peer: PeerId): boolean;
  /** True if a record of the peer may be kept: a member's always, a pending peer's while all pending peers have few of them. */
  mayRecord(peer: PeerId): boolean;
  /** Those of the addresses that are a member's: only they may be used or handed on. */
  admitted(multiaddrs: readonly Multiaddr[]): Multiaddr[];
  /** Starts to watch the host; call the result to end that. */
  guard(host: GuardedHost, listener: GateListener): () => void;
}

/** Gets what the gate sees. */
export interface GateListener {
  /** A peer that was a pending peer is a member: it belongs into the routing table. */
  admitted(peer: PeerId): void;
  /** A peer is no member any more, or has had its time as a pending peer: it has to leave the routing table, and its records are to be forgotten. */
  dismissed(peer: PeerId): void;
}

/** Peers whose addresses are remembered: more than any cluster has nodes. */
const MAX_MET = 8192;
/** Addresses of one peer: two interfaces with both families. */
const MAX_MET_ADDRESSES = 4;

/** Addresses of one pending peer that are dialled while it is connected: it may name ever others. */
const MAX_CLAIMS_DIALLED = 8;

/** Where a pending peer says that it is. */
interface Claims {
  readonly connection: Connection;
  /** Each as text, without its ID. */
  readonly addresses: readonly { readonly ip: string; readonly text: string }[];
  /** Those that were dialled already. */
  readonly dialled: Set<string>;
}

/** Records that all pending peers together may leave where nothing else is said. */
const MAX_PENDING_RECORDS = 20_000;

/** Makes the gate. `maxPendingRecords`: what all pending peers together may leave here; it counts as soon as its provider is a member. */
export function createMembershipGate(
  membership: Membership,
  { maxPendingRecords = MAX_PENDING_RECORDS }: { readonly maxPendingRecords?: number } = {},
): MembershipGate {
  const trusted = new Set<string>();
  /** Peer ID -> addresses at which it proved to be; the peer that was met last comes last. */
  const met = new Map<string, Set<string>>();
  /** Peers that are, or were, connected as pending, with the records that they left. */
  const pending = new Map<string, { readonly peer: PeerId; readonly ip: string; records: number }>();
  let pendingRecords = 0;
  const open = new Map<Connection, () => void>();
  let connectionsOf: (peer: PeerId) => readonly Connection[] = () => [];

  const isTrusted = (address: Multiaddr) => trusted.has(address.decapsulateCode(CODE_P2P).toString());
  /** Outbound connections have passed denyDialMultiaddr; but who is there may have stopped being a member since. */
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
  /** False if it was none. */
  const forgetPending = (peer: PeerId) => {
    pendingRecords -= pending.get(peer.toString())?.records ?? 0;
    return pending.delete(peer.toString());
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
      // What is no IP and a port is not even kept: libp2p would ask the name server for some names.
      filterMultiaddrForPeer: (_peer, address) => ipOf(address) !== undefined || isTrusted(address),
    },
    trust(address) {
      // Members' addresses change all the time, and need no trust.
      if (ipOf(multiaddr(address)) === undefined) trusted.add(address);
    },
    isMember,
    mayAsk: (peer) => connectionsOf(peer).length === 0 || isMember(peer),
    mayRecord(peer) {
      const pendingPeer = pending.get(peer.toString());
      if (pendingPeer === undefined) return isMember(peer);
      if (pendingRecords >= maxPendingRecords) return false;
      pendingRecords++;
      pendingPeer.records++;
      return true;
    },
    admitted: (multiaddrs) =>
      multiaddrs.filter((address) => {
        const ip = ipOf(address);
        return ip !== undefined && membership.admits(ip);
      }),
    guard(host, listener) {
      connectionsOf = (peer) => host.getConnections(peer);
      /** What pending peers that are connected say of themselves. */
      const claims = new Map<Connection, Claims>();

      const welcome = (peer: PeerId, ip: string | undefined) => {
        noteMet(peer, ip);
        if (forgetPending(peer)) listener.admitted(peer);
      };
      const dismiss = (peer: PeerId) => {
        forgetPending(peer);
        listener.dismissed(peer);
      };
      /** Looks at a connection, once more each time that something has changed. */
      const check = (connection: Connection) => {
        const { remotePeer: peer, remoteAddr } = connection;
        const ip = ipOf(remoteAddr);
        if (isAdmitted(connection)) {
          welcome(peer, ip);
          return;
        }
        const isDenied = ip === undefined || membership.arrive(ip) === 'denied';
        if (isDenied) connection.abort(new Error('Its address is not one of a member of the cluster'));
        if (isMember(peer)) return;
        if (isDenied) dismiss(peer);
        else if (!pending.has(peer.toString())) {
          // It was a member until now, or is new here.
          listener.dismissed(peer);
          pending.set(peer.toString(), { peer, ip, records: 0 });
        }
      };
      const onOpen = ({ detail: connection }: CustomEvent<Connection>) => {
        const ip = ipOf(connection.remoteAddr);
        open.set(connection, ip === undefined ? () => {} : membership.opened(ip));
        check(connection);
      };
      const onClose = ({ detail: connection }: CustomEvent<Connection>) => {
        open.get(connection)?.();
        open.delete(connection);
        claims.delete(connection);
      };
      const onDisconnect = ({ detail: peer }: CustomEvent<PeerId>) => {
        if (pending.get(peer.toString())?.records === 0) forgetPending(peer);
      };
      /** A node with several addresses may connect from one that is not named: it is dialled where it says that it is. */
      const dialClaims = ({ connection, addresses, dialled }: Claims) => {
        const { remotePeer } = connection;
        if (isMember(remotePeer)) return;
        const news = addresses.filter(({ ip, text }) => membership.admits(ip) && !dialled.has(text));
        if (news.length === 0 || dialled.size >= MAX_CLAIMS_DIALLED) return;
        for (const { text } of news) dialled.add(text);
        const signal = AbortSignal.timeout(DIAL_TIMEOUT_MS);
        // Somebody else is there, or nobody: then it stays a pending peer.
        host
          .dial(
            news.map(({ text }) => multiaddr(`${text}/p2p/${remotePeer.toString()}`)),
            { force: true, signal },
          )
          .catch(() => {});
      };
      const onIdentify = ({ detail: { connection, listenAddrs } }: CustomEvent<IdentifyResult>) => {
        const { direction, remotePeer } = connection;
        if (direction !== 'inbound' || isMember(remotePeer) || !open.has(connection)) return;
        const addresses = listenAddrs.flatMap((address) => {
          const ip = ipOf(address);
          return ip === undefined ? [] : { ip, text: address.decapsulateCode(CODE_P2P).toString() };
        });
        const dialled = claims.get(connection)?.dialled ?? new Set<string>();
        const claim = { connection, addresses: addresses.slice(0, MAX_MET_ADDRESSES), dialled };
        claims.set(connection, claim);
        dialClaims(claim);
      };
      const stopListening = membership.onChange(() => {
        for (const connection of open.keys()) check(connection);
        for (const claim of claims.values()) dialClaims(claim);
        // Those that left records and went.
        for (const { peer, ip } of pending.values()) {
          const standing = membership.standing(ip);
          if (standing === 'member') welcome(peer, ip);
          else if (standing === 'denied') dismiss(peer);
        }
      });
      host.addEventListener('connection:open', onOpen);
      host.addEventListener('connection:close', onClose);
      host.addEventListener('peer:disconnect', onDisconnect);
      host.addEventListener('peer:identify', onIdentify);
      return () => {
        stopListening();
        host.removeEventListener('connection:open', onOpen);
        host.removeEventListener('connection:close', onClose);
        host.removeEventListener('peer:disconnect', onDisconnect);
        host.removeEventListener('peer:identify', onIdentify);
      };
    },
  };
}

/** Drops what came first when there is more than the bound. */
function makeRoom(items: Set<string>, bound: number): void {
  if (items.size <= bound) return;
  const [first] = items;
  if (first !== undefined) items.delete(first);
}
