import type { Connection, Libp2p } from '@libp2p/interface';

import type { DhtNode } from '../../dht/dht-node-contract.ts';
import type { Timers } from '../../runtime/timers.ts';
import { type MemoryRoom, PLENTY_OF_ROOM } from '../../runtime/memory/memory-room.ts';
import { DIAL_TIMEOUT_MS } from '../limits.ts';

/** What capConnections needs. */
export interface CapConnectionsDeps {
  readonly libp2p: Pick<Libp2p, 'addEventListener' | 'removeEventListener' | 'getConnections'>;
  readonly dht: Pick<DhtNode, 'makeRoom' | 'isMemberConnected'>;
  readonly timers: Timers;
  /** Unix ms, as in the time line of a connection. */
  readonly nowMs: () => number;
  /** While it says that memory is short there are fewer connections. Default: it never is. */
  readonly room?: MemoryRoom | undefined;
}

/** Which connections were ended for others: of peers of the DHT that were needed least, or of any other connection. */
export type CapReason = 'shed_peer' | 'shed_other';

/** Time until it is looked again whether there are too many, in ms. */
const LOOK_AGAIN_MS = 3000;
/** Of all connections, the part that a node keeps when memory is short: with fewer it would lose the cluster. */
const FIRM_PART = 0.5;
/** How many more are ended than must be, as a part of all: looking for them takes some milliseconds. */
const STEP = 0.03;

/**
 * Ends connections when there are more than `maxConnections`, until the signal aborts. First come the connections that
 * have had time and still do not lead to a member that speaks the DHT's protocol, the oldest first. Then come the
 * connections of the peers that are needed least, see DhtNode.makeRoom.
 */
export function capConnections(
  { libp2p, dht, timers, nowMs, room = PLENTY_OF_ROOM }: CapConnectionsDeps,
  { maxConnections }: { readonly maxConnections: number },
  signal: AbortSignal,
): { readonly ended: Readonly<Record<CapReason, number>> } {
  const ended: Record<CapReason, number> = { shed_peer: 0, shed_other: 0 };
  const isStranger = ({ remotePeer }: Connection) =>
    !dht.isMemberConnected(remotePeer.toMultihash().bytes.toHex());
  let isLookDue = false;
  const look = () => {
    const open = libp2p.getConnections().filter(({ status }) => status === 'open');
    const excess = open.length - within(room, maxConnections);
    if (excess <= 0) return;
    // Peers that are told may come back at once, and some peers have not said yet what they are.
    if (!isLookDue) {
      isLookDue = true;
      timers.after(LOOK_AGAIN_MS, () => {
        isLookDue = false;
        if (!signal.aborted) look();
      });
    }
    const unknown = open
      .filter((each) => nowMs() - each.timeline.open >= DIAL_TIMEOUT_MS && isStranger(each))
      .sort((a, b) => a.timeline.open - b.timeline.open)
      .slice(0, excess);
    for (const connection of unknown) {
      ended.shed_other++;
      connection.abort(new Error('Others need the room'));
    }
    const left = excess - unknown.length;
    if (left > 0) ended.shed_peer += dht.makeRoom(left, Math.ceil(maxConnections * STEP));
  };
  libp2p.addEventListener('connection:open', look);
  // Only then it is known whether the other end is a peer of the DHT.
  libp2p.addEventListener('peer:identify', look);
  const stop = () => {
    libp2p.removeEventListener('connection:open', look);
    libp2p.removeEventListener('peer:identify', look);
  };
  signal.addEventListener('abort', stop, { once: true });
  return { ended };
}

/** How many of `most` connections there is room for. */
function within(room: MemoryRoom, most: number): number {
  return Math.floor(most * (FIRM_PART + (1 - FIRM_PART) * room.share()));
}
