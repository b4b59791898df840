import { mix, type Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

/** A machine. */
export interface Host {
  readonly index: number;
  readonly zone: number;
  /** IPv4, 4 bytes. */
  readonly ip: Uint8Array;
  /** False: nothing answers there, not even that there is nobody. */
  isUp: boolean;
  /** Hosts of different sides do not reach each other. */
  side: number;
  /** Who listens there. */
  process: Process | undefined;
}

/** Who has connections: a node, from its start to its end. */
export interface Process {
  /** Its ID in hex. */
  readonly name: string;
  readonly host: Host;
  isGone: boolean;
  /** False while it refuses connections. */
  hasRoom(): boolean;
  opened(link: Link): void;
  closed(link: Link): void;
}

/** A connection, and whether each side takes it for open. */
export interface Link {
  /** The one that dialled, and the one that was dialled. */
  readonly ends: readonly [Process, Process];
  readonly isOpen: [boolean, boolean];
  /** When the last message arrives that each side has sent: the next one comes no earlier. */
  readonly lastArrivalMs: [number, number];
  readonly openedMs: number;
}

/** What went over the network, by what it was for. */
export interface Traffic {
  messages: number;
  bytes: number;
}

/** What a message is for. */
export type TrafficKind = 'ping' | 'lookup' | 'crawl' | 'records' | 'notice';

/** The modelled network. */
export interface SimNetwork {
  readonly hosts: readonly Host[];
  readonly traffic: Readonly<Record<TrafficKind, Traffic>>;
  /** Connections that were tried. */
  readonly dials: { tried: number; refused: number; timedOut: number };
  hostAt(ip: Uint8Array): Host | undefined;
  /** Connects; rejects when nobody answers within 2 s, or at once when nobody listens, or somebody else does. */
  dial(from: Process, ip: Uint8Array, name: string | undefined): Promise<Link>;
  /**
   * Sends bytes over the link, and does the work where and when they arrive. A message that is lost comes later, with
   * all behind it, as over TCP; one to a side that is closed closes this one.
   */
  send(link: Link, from: Process, kind: TrafficKind, bytes: number, work: () => void): void;
  /** Closes one's own side; the other one hears of it if it can. */
  close(link: Link, by: Process): void;
  /** The machine goes, without a word. */
  crash(host: Host): void;
}

/** How the network is. */
export interface SimNetworkOptions {
  readonly hosts: number;
  readonly zones: number;
  /** Share of the messages that are lost the first time. */
  readonly loss: number;
  readonly seed: number;
}

/** Round trips in ms between two machines, from and to: pairs differ, and each keeps its own. */
const ZONE_ROUND_TRIP_MS = [0.2, 2] as const;
const FAR_ROUND_TRIP_MS = [1, 6] as const;
/** What is lost is sent again after so long, and after twice that the next time (Linux: 200 ms at least). */
const RETRANSMIT_MS = 200;
/** The first packet of a connection waits for longer (RFC 6298: 1 s). */
const CONNECT_RETRANSMIT_MS = 1000;
/** TCP, multistream, noise, multistream again: round trips until a connection can be used. */
const ROUND_TRIPS_PER_DIAL = 4;
/** Cryptography on both sides of a handshake. */
const HANDSHAKE_MS = 4;
/** The same as DIAL_TIMEOUT_MS of src/p2p. */
const DIAL_TIMEOUT_MS = 2000;
/** Around each message: yamux 12, noise 18, TCP and IP 52. */
const FRAME_BYTES = 82;

/** Makes a network of machines on which nothing runs yet. */
export function createSimNetwork(
  { time, random }: { readonly time: VirtualTime; readonly random: Random },
  { hosts: count, zones, loss, seed }: SimNetworkOptions,
): SimNetwork {
  const hosts: Host[] = Array.from({ length: count }, (_, index) => ({
    index,
    zone: index % zones,
    ip: Uint8Array.of(10, 0, index >> 8, index & 0xff),
    isUp: true,
    side: 0,
    process: undefined,
  }));
  const traffic: Record<TrafficKind, Traffic> = {
    ping: { messages: 0, bytes: 0 },
    lookup: { messages: 0, bytes: 0 },
    crawl: { messages: 0, bytes: 0 },
    records: { messages: 0, bytes: 0 },
    notice: { messages: 0, bytes: 0 },
  };
  const dials = { tried: 0, refused: 0, timedOut: 0 };

  const roundTripMs = (a: Host, b: Host) => {
    const [low, high] = a.zone === b.zone ? ZONE_ROUND_TRIP_MS : FAR_ROUND_TRIP_MS;
    const pair = Math.min(a.index, b.index) * count + Math.max(a.index, b.index);
    return low + ((high - low) * mix(pair + seed * 7919)) / 2 ** 32;
  };
  const isReachable = (a: Host, b: Host) => a.isUp && b.isUp && a.side === b.side;
  const indexOf = (link: Link, process: Process) => (link.ends[0] === process ? 0 : 1);
  const otherEnd = (link: Link, process: Process) => link.ends[link.ends[0] === process ? 1 : 0];

  const endAt = (link: Link, process: Process) => {
    const index = indexOf(link, process);
    if (!link.isOpen[index]) return;
    link.isOpen[index] = false;
    if (!process.isGone) process.closed(link);
  };
  /** Does the work at the other side once it can be reached; later and later, as TCP tries. */
  const arrive = (link: Link, from: Process, waitMs: number, work: () => void) => {
    const to = otherEnd(link, from);
    if (!to.host.isUp || !from.host.isUp) return;
    if (!isReachable(from.host, to.host)) {
      // This side has given the connection up, or is no more.
      if (!link.isOpen[indexOf(link, from)]) return;
      time.after(waitMs, () => arrive(link, from, waitMs * 2, work));
    } else if (link.isOpen[indexOf(link, to)] && !to.isGone) work();
    else time.after(roundTripMs(from.host, to.host) / 2, () => endAt(link, from));
  };
  const network: SimNetwork = {
    hosts,
    traffic,
    dials,
    hostAt: ([, , high = 0, low = 0]) => hosts[high * 256 + low],
    async dial(from, ip, name) {
      const { promise, resolve, reject } = Promise.withResolvers<Link>();
      const host = network.hostAt(ip);
      dials.tried++;
      const timeOut = time.after(DIAL_TIMEOUT_MS, () => {
        dials.timedOut++;
        reject(new Error('Nobody answers there'));
      });
      const fail = (why: string) => {
        timeOut();
        dials.refused++;
        reject(new Error(why));
      };
      if (host === undefined) return promise;
      const tripMs = roundTripMs(from.host, host);
      let totalMs = ROUND_TRIPS_PER_DIAL * tripMs + HANDSHAKE_MS;
      for (let trip = 0; trip < ROUND_TRIPS_PER_DIAL; trip++) {
        if (random.next() < loss) totalMs += trip === 0 ? CONNECT_RETRANSMIT_MS : RETRANSMIT_MS;
      }
      time.after(tripMs, () => {
        if (from.isGone || !isReachable(from.host, host)) return;
        const to = host.process;
        if (to === undefined) fail('Nobody listens there');
        else if (to === from) fail('Cannot dial self');
        else if (!to.hasRoom()) fail('The connection was closed at once');
        else if (name !== undefined && to.name !== name) fail('Somebody else answers there');
        else {
          time.after(totalMs - tripMs, () => {
            if (from.isGone || to.isGone || !isReachable(from.host, host)) return;
            timeOut();
            const link: Link = {
              ends: [from, to],
              isOpen: [true, true],
              lastArrivalMs: [0, 0],
              openedMs: time.nowMs(),
            };
            from.opened(link);
            to.opened(link);
            resolve(link);
          });
        }
      });
      return promise;
    },
    send(link, from, kind, bytes, work) {
      traffic[kind].messages++;
      traffic[kind].bytes += bytes + FRAME_BYTES;
      const index = indexOf(link, from);
      const lostMs = random.next() < loss ? RETRANSMIT_MS : 0;
      const nowMs = time.nowMs();
      const tripMs = roundTripMs(from.host, otherEnd(link, from).host) / 2;
      const arrivalMs = Math.max(nowMs + tripMs + lostMs, link.lastArrivalMs[index]);
      link.lastArrivalMs[index] = arrivalMs;
      time.after(arrivalMs - nowMs, () => arrive(link, from, RETRANSMIT_MS, work));
    },
    close(link, by) {
      const to = otherEnd(link, by);
      const index = indexOf(link, by);
      if (!link.isOpen[index]) return;
      endAt(link, by);
      if (!isReachable(by.host, to.host)) return;
      const waitMs = Math.max(roundTripMs(by.host, to.host) / 2, link.lastArrivalMs[index] - time.nowMs());
      time.after(waitMs, () => endAt(link, to));
    },
    crash(host) {
      host.isUp = false;
      host.process = undefined;
    },
  };
  return network;
}
