import type { Connection, IdentifyResult, Libp2p, PeerId } from '@libp2p/interface';

import type { Membership } from '../../membership/membership.ts';
import { ipOf } from '../addresses/peer-addresses.ts';
import { createAddressClaims } from './address-claims.ts';
import type { PendingRecords } from './pending-records.ts';

/** What the gate watches. */
export type GuardedHost = Pick<
  Libp2p,
  'addEventListener' | 'removeEventListener' | 'getConnections' | 'dial'
>;

/** Gets what the gate sees. */
export interface GateListener {
  /** A pending peer has become a member: it belongs into the routing table. */
  admitted(peer: PeerId): void;
  /**
   * A peer is not a member any more, or has had its time as a pending peer. It has to leave the routing table, and its
   * records are to be forgotten.
   */
  dismissed(peer: PeerId): void;
}

/** What guardHost needs. */
export interface GuardHostDeps {
  readonly host: GuardedHost;
  readonly membership: Membership;
  readonly pending: PendingRecords;
  /** True if the other end of the connection is at a member's address now. */
  readonly isAdmitted: (connection: Connection) => boolean;
  readonly isMember: (peer: PeerId) => boolean;
  /** The peer has been met at the address. */
  readonly noteMet: (peer: PeerId, ip: string | undefined) => void;
}

/**
 * Judges each connection of the host when it opens, and each time that the membership changes; call the result to end
 * that.
 */
export function guardHost(
  { host, membership, pending, isAdmitted, isMember, noteMet }: GuardHostDeps,
  listener: GateListener,
): () => void {
  /** Connection -> what tells the membership that it has closed. */
  const open = new Map<Connection, () => void>();
  const claims = createAddressClaims({ host, membership, isMember });

  const welcome = (peer: PeerId, ip: string | undefined) => {
    noteMet(peer, ip);
    if (pending.forget(peer)) listener.admitted(peer);
  };
  const dismiss = (peer: PeerId) => {
    pending.forget(peer);
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
    else if (pending.get(peer) === undefined) {
      // The peer was a member until now, or is new here.
      listener.dismissed(peer);
      pending.add(peer, ip);
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
    claims.closed(connection);
  };
  const onDisconnect = ({ detail: peer }: CustomEvent<PeerId>) => {
    if (pending.get(peer)?.records === 0) pending.forget(peer);
  };
  const onIdentify = ({ detail }: CustomEvent<IdentifyResult>) => {
    if (open.has(detail.connection)) claims.claimed(detail);
  };
  const stopListening = membership.onChange(() => {
    for (const connection of open.keys()) check(connection);
    claims.reconsider();
    // Peers that left records and went.
    for (const { peer, ip } of pending.all()) {
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
}
