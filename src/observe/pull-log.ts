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

/** One piece of content of a pull. */
export interface PullBlob {
  readonly kind: 'manifest' | 'config' | 'layer' | 'blob';
  /** The digest, or the tag of a manifest that was not found. */
  readonly reference: string;
  /** Undefined: no manifest has said so. */
  readonly sizeBytes: number | undefined;
  /** Given to containerd so far. */
  readonly movedBytes: number;
  /**
   * `waiting`: named by a manifest, not here, and not asked for, or not all of it; `running`: a request for it runs; `given`;
   * `missing`: no node has it; `broken-off`: nobody could go on with it; `left`: containerd went away.
   */
  readonly state: 'waiting' | 'running' | 'given' | 'missing' | 'broken-off' | 'left';
  /** Addresses that gave it, or `local`; the latest is the last. At most 4. */
  readonly from: readonly string[];
  /** Why it is missing or was broken off. */
  readonly reason: PullMiss['reason'] | undefined;
}

/** The pieces of a pull. */
export interface PullDetails {
  /** Counted from the start of the process. */
  readonly id: number;
  /** What is missing or was broken off, as far as a manifest said its size: containerd gets it from the registry. */
  readonly upstreamBytes: number;
  /** Bytes that its manifests name and that were not here; undefined while that is not known. */
  readonly wantedBytes: number | undefined;
  /** Manifests first, then what they name in its order: at most 200 of a pull that runs, 64 of one that has ended. */
  readonly blobs: readonly PullBlob[];
  /** How many there are in all. */
  readonly blobCount: number;
}

/** A pull that runs, as it is now. `durationMs`: until now. What its requests that run have given is in `blobs` only. */
export type RunningPull = Omit<EndedPull, 'outcome' | 'misses' | 'missCount'> & PullDetails;

/** A pull that has ended. */
export interface LoggedPull extends EndedPull, PullDetails {
  /** In ms since the epoch. */
  readonly startedAtMs: number;
}

/** Keeps the last pulls, for those who look at the node. */
export interface PullLog {
  /** Tells of a pull whose last request ended `agoMs` ago, in ms. */
  ended(pull: EndedPull & PullDetails, agoMs: number): void;
  /** Says which pulls run, newest first. Without it, none do. */
  runningFrom(read: () => readonly RunningPull[]): void;
  running(): ReadonlyArray<RunningPull & Pick<LoggedPull, 'startedAtMs'>>;
  /** The last ones, the one whose last request ended last first: some are told of long after that. */
  last(): readonly LoggedPull[];
}

/** Each takes at most 32 KB: 6, and 0.4 for each of its 64 pieces. */
const MAX_PULLS = 50;

/** Creates an empty log of at most 50 pulls. `wallClockMs` is the time of day, in ms since the epoch. */
export function createPullLog(wallClockMs: () => number = Date.now): PullLog {
  const pulls: LoggedPull[] = [];
  let readRunning: () => readonly RunningPull[] = () => [];
  return {
    ended(pull, agoMs) {
      pulls.push({ ...pull, startedAtMs: Math.round(wallClockMs() - agoMs - pull.durationMs) });
      if (pulls.length > MAX_PULLS) pulls.shift();
    },
    runningFrom(read) {
      readRunning = read;
    },
    running: () =>
      readRunning().map((pull) =>
        Object.assign({}, pull, { startedAtMs: Math.round(wallClockMs() - pull.durationMs) }),
      ),
    last: () => pulls.toReversed().sort((a, b) => endOf(b) - endOf(a)),
  };
}

function endOf({ startedAtMs, durationMs }: LoggedPull): number {
  return startedAtMs + durationMs;
}
