const HOUR_MS = 60 * 60 * 1000;
/** Hours that are kept, the present one among them. */
const MAX_HOURS = 24;

/** One hour of traffic. */
export interface TrafficHour {
  /** When it began, in ms since the epoch: the clock showed a full hour (UTC). */
  readonly startedAtMs: number;
  /** Requests of this node's own containerd for content that were answered, from this node or from peers. */
  readonly hits: number;
  /** Those that were not, or not to the end: containerd had to ask the registry. */
  readonly misses: number;
  /** To this node's own containerd, from this node. */
  readonly localBytes: number;
  /** To this node's own containerd, from peers. */
  readonly peerBytes: number;
  /** What containerd had to get from registries, as far as a manifest said its size. Told when a pull has ended. */
  readonly upstreamBytes: number;
  /** To other nodes. */
  readonly givenBytes: number;
}

/** What can be added to an hour. */
export type Traffic = Partial<Omit<TrafficHour, 'startedAtMs'>>;

/** Adds up what the mirror did, by the hour. */
export interface TrafficLog {
  /** It has just happened. */
  add(traffic: Traffic): void;
  /** The last 24 hours, oldest first; hours in which nothing happened are left out. */
  hours(): readonly TrafficHour[];
}

const NOTHING = { hits: 0, misses: 0, localBytes: 0, peerBytes: 0, upstreamBytes: 0, givenBytes: 0 };
const KINDS = Object.keys(NOTHING) as (keyof typeof NOTHING)[];

/** Has nothing yet. `wallClockMs` is the time of day, in ms since the epoch. */
export function createTrafficLog(wallClockMs: () => number = Date.now): TrafficLog {
  /** In the order in which they were begun: a clock that is set back leads to an hour that was there before. */
  const hours = new Map<number, { startedAtMs: number } & typeof NOTHING>();
  const hourOf = (ms: number) => Math.floor(ms / HOUR_MS) * HOUR_MS;
  return {
    add(traffic) {
      const startedAtMs = hourOf(wallClockMs());
      const hour = hours.get(startedAtMs) ?? { startedAtMs, ...NOTHING };
      for (const kind of KINDS) hour[kind] += traffic[kind] ?? 0;
      hours.set(startedAtMs, hour);
      const [oldest] = hours.keys();
      if (hours.size > MAX_HOURS && oldest !== undefined) hours.delete(oldest);
    },
    hours() {
      const now = hourOf(wallClockMs());
      return [...hours.values()]
        .filter(({ startedAtMs }) => startedAtMs <= now && startedAtMs > now - MAX_HOURS * HOUR_MS)
        .toSorted((a, b) => a.startedAtMs - b.startedAtMs)
        .map((hour) => Object.assign({}, hour));
    },
  };
}
