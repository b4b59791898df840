import type { Connection, Libp2p, PeerId } from '@libp2p/interface';

/**
 * Of the open connections to the peer the one that was made last; undefined if there is none. libp2p itself opens streams
 * on the first one, and that may lead to where the peer was before.
 */
export function latestConnection(
  libp2p: Pick<Libp2p, 'getConnections'>,
  peer: PeerId,
): Connection | undefined {
  let latest: Connection | undefined;
  for (const each of libp2p.getConnections(peer)) {
    if (each.status !== 'open') continue;
    if (latest === undefined || each.timeline.open >= latest.timeline.open) latest = each;
  }
  return latest;
}
