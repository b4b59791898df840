import type { Connection, Libp2p, PeerId } from '@libp2p/interface';

/**
 * Of the open connections to the peer, the connection that came last; undefined if there is none. libp2p itself opens
 * streams on the first connection, and that may lead to where the peer was before.
 */
export function latestConnection(
  libp2p: Pick<Libp2p, 'getConnections'>,
  peer: PeerId,
): Connection | undefined {
  // In the order in which the events came; their times are of a clock that may be set back.
  return libp2p.getConnections(peer).findLast(({ status }) => status === 'open');
}
