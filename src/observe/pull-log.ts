import type { MissReason } from './transfer-log.ts';

/** What one peer gave to a pull. */
export interface PullPeer {
  readonly address: string;
  readonly bytes: number;
  /** Over the time from the first request that it served to the end of the last. */
  readonly bytesPerSecond: number;
}

/** Content that the mirror did not give to a pull, or not whole: containerd gets it from the registry. */
export interface PullMiss {
  readonly kind: 'manifest' | 'blob';
  /** The digest, or the tag of a manifest that was asked for by it. */
  readonly reference: string;
  readonly reason: MissReason | 'broken-off';
}

/**
 * What became of a pull, as far as the mirror sees it. `served`: all that was asked for was given; `partly`: some of it;
 * `missing`: nothing, so that the registry gave all of it. `left`: containerd went away while something was given.
 */
export type PullOutcome = 'served' | 'partly' | 'missing' | 'left';

/** A pull of this node's own containerd. */
export interface EndedPull {
  /** The name of the image, with its tag or digest. */
  readonly image: string;
  /** Undefined if no manifest was found. */
  readonly digest: string | undefined;
  readonly outcome: PullOutcome;
  /** From the first request to the end of the last. */
  readonly durationMs: number;
  /** From this node's own store. */
  readonly localBytes: number;
  /** From all peers together. */
  readonly peerBytes: number;
  /** The part of these that came through a flight. */
  readonly flightBytes: number;
  /** Those that gave most, at most 16. */
  readonly peers: readonly PullPeer[];
  /** The first ones, at most 16. */
  readonly misses: readonly PullMiss[];
  readonly missCount: number;
}

/** A pull that has ended. */
export interface LoggedPull extends EndedPull {
  /** In ms since the epoch. */
  readonly startedAtMs: number;
}

/** Keeps the last pulls, for those who look at the node. */
export interface PullLog {
  /** Tells of a pull whose last request ended `agoMs` ago, in ms. */
  ended(pull: EndedPull, agoMs: number): void;
  /** The last ones, newest first. */
  last(): readonly LoggedPull[];
}

/** Each takes at most 6 KB. */
const MAX_PULLS = 50;

/** Creates an empty log of at most 50 pulls. `wallClockMs` is the time of day, in ms since the epoch. */
export function createPullLog(wallClockMs: () => number = Date.now): PullLog {
  const pulls: LoggedPull[] = [];
  return {
    ended(pull, agoMs) {
      pulls.push({ ...pull, startedAtMs: Math.round(wallClockMs() - agoMs - pull.durationMs) });
      if (pulls.length > MAX_PULLS) pulls.shift();
    },
    last: () => pulls.toReversed(),
  };
}
