import type { Connection } from '@libp2p/interface';

/** What spareConnections looks at. */
export type ConnectionFacts = Pick<Connection, 'direction' | 'remotePeer' | 'status'> & {
  readonly timeline: { readonly open: number };
};

/**
 * The connections to a peer that are not needed, where there are several: all but one. The latest connection that the
 * end with the lesser ID has made is kept; if it made none, the latest of the other end. So both ends keep the same
 * connection, whichever of them looks first. Both ends dial after a network was in two parts. A peer with a connection
 * younger than `youngMs` is left for the next time: the other end may not have seen that connection yet.
 */
export function spareConnections<C extends ConnectionFacts>(
  connections: readonly C[],
  { self, nowMs, youngMs }: { readonly self: string; readonly nowMs: number; readonly youngMs: number },
): readonly C[] {
  const byPeer = Map.groupBy(
    connections.filter(({ status }) => status === 'open'),
    ({ remotePeer }) => remotePeer.toString(),
  );
  return [...byPeer].flatMap(([peer, all]) => {
    if (all.length < 2 || all.some(({ timeline }) => nowMs - timeline.open < youngMs)) return [];
    const preferred = self < peer ? 'outbound' : 'inbound';
    const [, ...spare] = all.toSorted(
      (a, b) =>
        Number(b.direction === preferred) - Number(a.direction === preferred) ||
        b.timeline.open - a.timeline.open,
    );
    return spare;
  });
}
