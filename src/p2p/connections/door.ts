import type { Timers } from '../../runtime/timers.ts';
import { lruSet } from '../../runtime/lru-set.ts';
import { createTokenBucket, type TokenBucket } from '../../runtime/token-bucket.ts';
import type { Standing } from '../../membership/membership.ts';

/** What one address may have. IPv6: a network of 64 bits. */
export interface AddressLimits {
  /** Connections, those that are in their handshake included. */
  readonly connections: number;
  /** The same where the address is not of a member. */
  readonly pendingConnections: number;
  /** Handshakes at a time, those that wait for their turn included. */
  readonly handshakes: number;
  /** Handshakes at once after a while without any. */
  readonly burst: number;
  /** Handshakes per second in the long run. */
  readonly perSecond: number;
}

/** Settings of createDoor. */
export interface DoorOptions {
  readonly address: AddressLimits;
  /** Connections that others have made, in all. */
  readonly connections: number;
  /** Of these, connections from addresses that are not of members. */
  readonly pendingConnections: number;
  /** Handshakes that are done at a time. Addresses that are not of members have half of them. */
  readonly places: number;
  /** From this number of connections on, handshakes begin at a pace. */
  readonly pacedFrom: number;
  /** The pace, in handshakes per second. */
  readonly pacePerSecond: number;
  /** Connections that wait for a place, or have not said anything yet. */
  readonly waiting: number;
  /** Longest time that a handshake waits for its place, in ms. */
  readonly waitMs: number;
  /** Longest time that a handshake may have its place and say nothing, in ms; three times as long in all. */
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

/** A connection on its way in. */
export interface Visit {
  /** Resolves when the handshake may begin. The signal tells that it takes too long. */
  readonly turn: Promise<AbortSignal>;
  /** Something has come on the connection. Before that it waits for no place: it needs no time of this node's. */
  heard(): void;
  /** The handshake is done. */
  opened(): void;
  /** The connection has ended, at whatever point. */
  ended(): void;
}

/** Lets connections in, or not, before they cost anything. */
export interface Door {
  /** Somebody connects from the address; undefined if that is refused. */
  knock(from: { readonly origin: string; readonly standing: Standing }): Visit | undefined;
  readonly refused: Readonly<Record<DoorRefusal, number>>;
}

/** What createDoor needs. */
export interface DoorDeps {
  /** Milliseconds that never go back. */
  readonly nowMs: () => number;
  readonly timers: Timers;
}

/** Addresses whose last handshakes are remembered. */
const MAX_ADDRESSES = 4096;

/** A handshake that goes on may have its place so many times longer than one that is silent. */
const SLOW_HANDSHAKE = 3;

interface Address {
  connections: number;
  handshakes: number;
  /** Handshakes that it may begin. */
  readonly rate: TokenBucket;
  /** When its last handshake began. */
  begunMs: number;
}

/**
 * A handshake takes 20 to 40 ms of CPU, and a connection some 0.15 MiB. So an address has a rate, a number of connections,
 * and a number of handshakes; few handshakes are done at a time, so that each takes a moment only, and those of members come
 * before those of others. What is half open is ended soon.
 */
export function createDoor({ nowMs, timers }: DoorDeps, options: DoorOptions): Door {
  const { address: limits } = options;
  /** The one that knocked last comes last. */
  const addresses = new Map<string, Address>();
  const waiting = { members: new Map<() => void, Address>(), others: new Map<() => void, Address>() };
  let pending = 0;
  const refused: Record<DoorRefusal, number> = {
    rate: 0,
    address_handshakes: 0,
    address_connections: 0,
    handshakes: 0,
    connections: 0,
    slow_handshake: 0,
  };
  let [places, pendingPlaces] = [0, 0];
  let [connections, pendingConnections] = [0, 0];
  let pacedMs = 0;
  let isPaceDue = false;

  const addressNamed = (origin: string): Address => {
    const known = addresses.get(origin);
    const address = known ?? {
      connections: 0,
      handshakes: 0,
      rate: createTokenBucket(nowMs, limits),
      begunMs: -Infinity,
    };
    // An address that has a connection is held by it, and comes back when another connection comes from there.
    lruSet(addresses, origin, address, MAX_ADDRESSES);
    return address;
  };
  const isFull = () => connections >= options.connections;
  const refusalOf = (address: Address, isMember: boolean): DoorRefusal | undefined => {
    if (address.handshakes >= limits.handshakes) return 'address_handshakes';
    const most = isMember ? limits.connections : limits.pendingConnections;
    if (address.connections >= most) return 'address_connections';
    if (!address.rate.has()) return 'rate';
    if (pending >= options.waiting / (isMember ? 1 : 2)) return 'handshakes';
    if (isFull() || (!isMember && pendingConnections >= options.pendingConnections)) return 'connections';
    return undefined;
  };
  /** A new connection to a full node replaces another. The pace keeps handshakes from taking all of the CPU. */
  const isPaced = () => {
    if (connections < options.pacedFrom) return false;
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
  /** Of those that wait, the handshake of the address that has not begun a handshake for the longest time. */
  const firstOf = (queue: ReadonlyMap<() => void, Address>) => {
    let first: { readonly begin: () => void; readonly address: Address } | undefined;
    for (const [begin, address] of queue) {
      if (first === undefined || address.begunMs < first.address.begunMs) first = { begin, address };
    }
    return first;
  };
  const next = () => {
    while (places < options.places && !isFull()) {
      const first =
        firstOf(waiting.members) ??
        (pendingPlaces < options.places / 2 ? firstOf(waiting.others) : undefined);
      if (first === undefined || isPaced()) return;
      waiting.members.delete(first.begin);
      waiting.others.delete(first.begin);
      first.address.begunMs = nowMs();
      first.begin();
    }
  };

  return {
    refused,
    knock({ origin, standing }) {
      const address = addressNamed(origin);
      const isMember = standing === 'member';
      const refusal = refusalOf(address, isMember);
      if (refusal !== undefined) {
        refused[refusal]++;
        return undefined;
      }
      address.rate.take();
      address.connections++;
      address.handshakes++;
      if (!isMember) pendingConnections++;
      pending++;
      let state: 'silent' | 'waiting' | 'shaking hands' | 'open' | 'ended' = 'silent';
      const late = new AbortController();
      const turn = Promise.withResolvers<AbortSignal>();
      const queue = isMember ? waiting.members : waiting.others;
      let cancel = timers.after(options.handshakeMs, () => {
        refused.slow_handshake++;
        turn.reject(new Error('Nothing comes on the connection'));
      });
      let beganMs = 0;
      const watch = () => {
        cancel();
        const leftMs = beganMs + SLOW_HANDSHAKE * options.handshakeMs - nowMs();
        cancel = timers.after(Math.max(0, Math.min(options.handshakeMs, leftMs)), () => {
          refused.slow_handshake++;
          late.abort(new Error('The handshake takes too long'));
        });
      };
      const begin = () => {
        state = 'shaking hands';
        pending--;
        places++;
        connections++;
        if (!isMember) pendingPlaces++;
        beganMs = nowMs();
        watch();
        turn.resolve(late.signal);
      };
      /** The handshake is over, one way or the other. */
      const leavePlace = () => {
        const before = state;
        cancel();
        queue.delete(begin);
        if (before === 'silent' || before === 'waiting') pending--;
        if (before !== 'open' && before !== 'ended') address.handshakes--;
        if (before !== 'shaking hands') return;
        places--;
        if (!isMember) pendingPlaces--;
      };
      return {
        turn: turn.promise,
        heard() {
          if (state === 'silent') {
            state = 'waiting';
            cancel();
            cancel = timers.after(options.waitMs, () => {
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
          leavePlace();
          state = 'open';
          next();
        },
        ended() {
          if (state === 'ended') return;
          turn.reject(new Error('The connection has ended'));
          if (state === 'shaking hands' || state === 'open') connections--;
          leavePlace();
          state = 'ended';
          address.connections--;
          if (!isMember) pendingConnections--;
          next();
        },
      };
    },
  };
}
