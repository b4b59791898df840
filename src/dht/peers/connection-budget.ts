import type { Timers } from '../../runtime/timers.ts';
import { CONNECTION_TARGET, REPLICATION } from '../limits.ts';
import type { PeerBook } from './peer-book-contract.ts';
import type { KnownPeer, PeerTable } from './peer-table.ts';

const SECOND_MS = 1000;
/** In a cluster of up to this share of the connections that a node may have, each node is connected to all. */
const MESHED_SHARE = 0.9;
/**
 * In a larger cluster a node dials up to this share of them. With dials from others it has twice as many, and some
 * room.
 */
const DIALLED_SHARE = 0.4;
/** Time to tell a peer that its connection will end. */
const TELL_PARTING_MS = SECOND_MS;

/** What createConnectionBudget needs. */
export interface ConnectionBudgetDeps {
  /** This node's position in the keyspace. */
  readonly position: Uint8Array;
  readonly peers: Pick<PeerTable, 'all' | 'closest' | 'size'>;
  readonly book: Pick<PeerBook, 'get' | 'parting' | 'subscribe'>;
  /** True while records are on their way to the peer. */
  readonly isSendingTo: (name: string) => boolean;
  /**
   * Tells the peer that its connection will end; resolves when it has taken that, or at once when it does not
   * understand.
   */
  readonly tell: (peer: KnownPeer) => Promise<void>;
  /** Ends the connection to a peer. */
  readonly end: (name: string) => void;
  readonly timers: Timers;
}

/** Which connections a node makes and keeps, when it has room for some only. */
export interface ConnectionBudget {
  /** Connections up to which the node dials peers that it hears of. */
  target(): number;
  /**
   * Ends connections to the `count` peers that are needed least, after telling them. Connections that are ending
   * already count. The peers stay known, and neither end dials the other until it is needed. Where any more connections
   * have to end, `step` more than that do. Returns how many it has begun to end.
   */
  makeRoom(count: number, step?: number): number;
}

/** Makes the budget of a node that has `maxConnections` connections at most. */
export function createConnectionBudget(
  { position, peers, book, isSendingTo, tell, end, timers }: ConnectionBudgetDeps,
  maxConnections: number,
): ConnectionBudget {
  /** Peers whose connections this node is about to end. */
  const ending = new Set<string>();
  book.subscribe({ closed: ({ name }) => void ending.delete(name) });

  /**
   * In the order in which the node can do without the peers. Neighbours in the keyspace, and peers that get records,
   * come last.
   */
  const leastNeeded = (connected: readonly KnownPeer[]) => {
    const closest = peers.closest(position, REPLICATION, ({ isConnected }) => isConnected);
    const neighbours = new Set(closest.map(({ name }) => name));
    const isNeeded = ({ name }: KnownPeer) => neighbours.has(name) || isSendingTo(name);
    const { needed = [], others = [] } = Object.groupBy(connected, (peer) =>
      isNeeded(peer) ? 'needed' : 'others',
    );
    const usedMs = ({ name }: KnownPeer) => book.get(name)?.usedMs ?? 0;
    const byUse = (a: KnownPeer, b: KnownPeer) => usedMs(a) - usedMs(b);
    return [...others.sort(byUse), ...needed.sort(byUse)];
  };
  const part = async (peer: KnownPeer) => {
    book.parting(peer.id);
    ending.add(peer.name);
    const late = Promise.withResolvers<void>();
    // The connection ends all the same when the peer does not take the notice.
    const cancel = timers.after(TELL_PARTING_MS, late.resolve);
    await Promise.race([tell(peer), late.promise]);
    cancel();
    end(peer.name);
    // The peer may be there again by then, on a connection that is not to end.
    timers.after(TELL_PARTING_MS, () => ending.delete(peer.name));
  };

  return {
    target() {
      const meshed = Math.floor(maxConnections * MESHED_SHARE);
      return Math.min(
        CONNECTION_TARGET,
        peers.size <= meshed ? meshed : Math.floor(maxConnections * DIALLED_SHARE),
      );
    },
    makeRoom(count, step = 0) {
      const all = [...peers.all()].filter(({ isConnected }) => isConnected);
      const staying = all.filter(({ name }) => !ending.has(name));
      const missing = count - (all.length - staying.length);
      if (missing <= 0) return 0;
      const chosen = leastNeeded(staying).slice(0, missing + step);
      for (const peer of chosen) void part(peer);
      return chosen.length;
    },
  };
}
