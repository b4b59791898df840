import type { Standing } from '../../membership/membership.ts';
import type { Timers } from '../../runtime/timers.ts';
import { type AddressLimits, createDoorAddresses, type DoorAddress } from './door-addresses.ts';
import { createVisit, type DoorQueue, type DoorTally, type Visit } from './door-visit.ts';

/** Settings of createDoor. */
export interface DoorOptions {
  readonly address: AddressLimits;
  /** Connections that others have made, in all. */
  readonly connections: number;
  /** Of these, connections from addresses that are not of members. */
  readonly pendingConnections: number;
  /** Handshakes that are done at a time. Addresses that are not of members have half of them. */
  readonly slots: number;
  /** From this number of connections on, handshakes begin at a pace. */
  readonly pacedFrom: number;
  /** The pace, in handshakes per second. */
  readonly pacePerSecond: number;
  /** Connections that wait for a slot, or have not said anything yet. */
  readonly waiting: number;
  /** Longest time that a handshake waits for its slot, in ms. */
  readonly waitMs: number;
  /** Longest time that a handshake may have its slot and say nothing, in ms; three times as long in all. */
  readonly handshakeMs: number;
}

/** Why a connection was refused or ended before its handshake was done. */
export type DoorRefusal =
  | 'rate'
  | 'address_handshakes'
  | 'address_connections'
  | 'handshakes'
  | 'connections'
  | 'slow_handshake';

/** Lets connections in, or not, before they cost anything. */
export interface Door {
  /** A peer connects from the address; undefined if that is refused. */
  knock(from: { readonly origin: string; readonly standing: Standing }): Visit | undefined;
  readonly refused: Readonly<Record<DoorRefusal, number>>;
}

/** What createDoor needs. */
export interface DoorDeps {
  /** Milliseconds that never go back. */
  readonly nowMs: () => number;
  readonly timers: Timers;
}

/**
 * A handshake takes 20 to 40 ms of CPU, and a connection some 0.15 MiB. So an address has a rate, a number of
 * connections, and a number of handshakes. Few handshakes are done at a time, so that each takes a moment only. The
 * handshakes of members come before all others. A connection that is half open is ended soon.
 */
export function createDoor({ nowMs, timers }: DoorDeps, options: DoorOptions): Door {
  const { address: limits } = options;
  const addressOf = createDoorAddresses(limits, nowMs);
  const members: DoorQueue = new Map();
  const others: DoorQueue = new Map();
  const tally: DoorTally = { pending: 0, slots: 0, pendingSlots: 0, connections: 0, pendingConnections: 0 };
  const refused: Record<DoorRefusal, number> = {
    rate: 0,
    address_handshakes: 0,
    address_connections: 0,
    handshakes: 0,
    connections: 0,
    slow_handshake: 0,
  };
  let pacedMs = 0;
  let isPaceDue = false;

  const isFull = () => tally.connections >= options.connections;
  const refusalOf = (address: DoorAddress, isMember: boolean): DoorRefusal | undefined => {
    if (address.handshakes >= limits.handshakes) return 'address_handshakes';
    const most = isMember ? limits.connections : limits.pendingConnections;
    if (address.connections >= most) return 'address_connections';
    if (!address.rate.has()) return 'rate';
    if (tally.pending >= options.waiting / (isMember ? 1 : 2)) return 'handshakes';
    const isFullForOthers = tally.pendingConnections >= options.pendingConnections;
    return isFull() || (!isMember && isFullForOthers) ? 'connections' : undefined;
  };
  /** A new connection to a full node replaces another. The pace keeps handshakes from taking all of the CPU. */
  const isPaced = () => {
    if (tally.connections < options.pacedFrom) return false;
    const leftMs = pacedMs - nowMs();
    if (leftMs <= 0) {
      pacedMs = nowMs() + 1000 / options.pacePerSecond;
      return false;
    }
    if (!isPaceDue) {
      isPaceDue = true;
      timers.after(leftMs, () => {
        isPaceDue = false;
        next();
      });
    }
    return true;
  };
  const next = () => {
    while (tally.slots < options.slots && !isFull()) {
      const first =
        firstOf(members) ?? (tally.pendingSlots < options.slots / 2 ? firstOf(others) : undefined);
      if (first === undefined || isPaced()) return;
      members.delete(first.begin);
      others.delete(first.begin);
      first.address.begunMs = nowMs();
      first.begin();
    }
  };

  return {
    refused,
    knock({ origin, standing }) {
      const address = addressOf(origin);
      const isMember = standing === 'member';
      const refusal = refusalOf(address, isMember);
      if (refusal !== undefined) {
        refused[refusal]++;
        return undefined;
      }
      const queue = isMember ? members : others;
      return createVisit({ address, isMember, tally, refused, queue, next, nowMs, timers }, options);
    },
  };
}

/** Of the waiting handshakes, the handshake of the address that has not begun a handshake for the longest time. */
function firstOf(
  queue: DoorQueue,
): { readonly begin: () => void; readonly address: DoorAddress } | undefined {
  let first: { readonly begin: () => void; readonly address: DoorAddress } | undefined;
  for (const [begin, address] of queue) {
    if (first === undefined || address.begunMs < first.address.begunMs) first = { begin, address };
  }
  return first;
}
