import type { Timers } from '../../runtime/timers.ts';
import type { DoorAddress } from './door-addresses.ts';

/** A connection on its way in. */
export interface Visit {
  /** Resolves when the handshake may begin. The signal tells that it takes too long. */
  readonly turn: Promise<AbortSignal>;
  /** Something has come on the connection. Before that it does not wait for a place: it needs no time of this node. */
  heard(): void;
  /** The handshake is done. */
  opened(): void;
  /** The connection has ended, at whatever point. */
  ended(): void;
}

/** A handshake that goes on may have its slot so many times longer than a handshake that is silent. */
const SLOW_HANDSHAKE = 3;

/** What all connections together have at this moment. */
export interface DoorTally {
  /** Connections whose handshake has not begun. */
  pending: number;
  /** Handshakes that have a slot. */
  slots: number;
  /** Of these, handshakes with addresses that are not of members. */
  pendingSlots: number;
  /** Connections whose handshake has begun, or is done. */
  connections: number;
  /** Connections from addresses that are not of members. */
  pendingConnections: number;
}

/** Handshakes that wait for a slot -> their addresses. Each is begun by calling it. */
export type DoorQueue = Map<() => void, DoorAddress>;

/** Settings of createVisit, see DoorOptions. */
export interface VisitLimits {
  readonly handshakeMs: number;
  readonly waitMs: number;
}

/** What createVisit needs. */
export interface VisitDeps {
  readonly address: DoorAddress;
  readonly isMember: boolean;
  readonly tally: DoorTally;
  /** Counts handshakes that took too long, or waited too long. */
  readonly refused: Record<'slow_handshake' | 'handshakes', number>;
  readonly queue: DoorQueue;
  /** Begins handshakes for which there is a slot now. */
  readonly next: () => void;
  readonly nowMs: () => number;
  readonly timers: Timers;
}

/**
 * Follows a connection that is let in: it is silent until something comes, waits for a place, shakes hands, is open,
 * and ends; it may end at any point. Counts it where it is.
 */
export function createVisit(
  { address, isMember, tally, refused, queue, next, nowMs, timers }: VisitDeps,
  { handshakeMs, waitMs }: VisitLimits,
): Visit {
  address.rate.take();
  address.connections++;
  address.handshakes++;
  if (!isMember) tally.pendingConnections++;
  tally.pending++;
  let state: 'silent' | 'waiting' | 'shaking hands' | 'open' | 'ended' = 'silent';
  const late = new AbortController();
  const turn = Promise.withResolvers<AbortSignal>();
  let beganMs = 0;
  let cancel = timers.after(handshakeMs, () => {
    refused.slow_handshake++;
    turn.reject(new Error('Nothing comes on the connection'));
  });

  const watch = () => {
    cancel();
    const leftMs = beganMs + SLOW_HANDSHAKE * handshakeMs - nowMs();
    cancel = timers.after(Math.max(0, Math.min(handshakeMs, leftMs)), () => {
      refused.slow_handshake++;
      late.abort(new Error('The handshake takes too long'));
    });
  };
  const begin = () => {
    state = 'shaking hands';
    tally.pending--;
    tally.slots++;
    tally.connections++;
    if (!isMember) tally.pendingSlots++;
    beganMs = nowMs();
    watch();
    turn.resolve(late.signal);
  };
  /** The handshake is over, one way or the other. */
  const leaveSlot = () => {
    const before = state;
    cancel();
    queue.delete(begin);
    if (before === 'silent' || before === 'waiting') tally.pending--;
    if (before !== 'open' && before !== 'ended') address.handshakes--;
    if (before !== 'shaking hands') return;
    tally.slots--;
    if (!isMember) tally.pendingSlots--;
  };

  return {
    turn: turn.promise,
    heard() {
      if (state === 'silent') {
        state = 'waiting';
        cancel();
        cancel = timers.after(waitMs, () => {
          refused.handshakes++;
          turn.reject(new Error('Too many others are waiting'));
        });
        queue.set(begin, address);
        next();
        return;
      }
      if (state === 'shaking hands' && !late.signal.aborted) watch();
    },
    opened() {
      if (state === 'ended' || state === 'open') return;
      leaveSlot();
      state = 'open';
      next();
    },
    ended() {
      if (state === 'ended') return;
      turn.reject(new Error('The connection has ended'));
      if (state === 'shaking hands' || state === 'open') tally.connections--;
      leaveSlot();
      state = 'ended';
      address.connections--;
      if (!isMember) tally.pendingConnections--;
      next();
    },
  };
}
