import type { Connection } from '@libp2p/interface';

/** What spareConnections looks at. */
export type ConnectionFacts = Pick<Connection, 'direction' | 'remotePeer' | 'status'> & {
  readonly timeline: { readonly open: number };
};

/**
 * Of several connections to the same peer those that nobody needs: all but the latest of those that the one of the two
 * with the lesser ID has made, or that the other one has. So both ends keep the same one, whichever of them looks first.
 * After a network was in two parts both sides dial. Those that are younger than `youngMs` are left for the next time, with
 * all others of their peer: the other end may not have seen them yet.
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
