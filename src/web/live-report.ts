import type { CanaryResult } from '../canary/canary-result.ts';
import type { PullBlob, PullPeer } from '../observe/pull-log.ts';
import type { TrafficHour as LoggedHour } from '../observe/traffic-log.ts';
import type { FlightsReport } from '../routing/flights-report.ts';
import type { PeerCounts } from '../routing/peer-counts.ts';
import type { PeerCondition } from '../routing/router.ts';

/**
 * Where the metrics listener streams what the page shows, as text/event-stream: each event is named after a member of LiveEvents,
 * and its data is that member as JSON. 503 with Retry-After: as many streams are open as this node has. A stream that the node
 * ends (it stops, or the client did not read) is opened again by the browser, and begins with everything.
 */
export const LIVE_PATH = '/debug/live';

/** What the stream tells: all of it at the beginning, then what has changed, each at most once a second. */
export interface LiveEvents {
  readonly health: LiveHealth;
  readonly traffic: LiveTraffic;
  readonly peers: LivePeers;
  readonly pulls: LivePulls;
  readonly streams: LiveStreams;
}

/** Whether this node is well, and is used. */
export interface LiveHealth {
  readonly self: {
    readonly id: string;
    readonly name?: string | undefined;
    /** Multiaddrs. */
    readonly addresses: readonly string[];
    readonly zone?: string | undefined;
  };
  readonly version: string;
  /** When the process started, ISO 8601. */
  readonly startedAt: string;
  readonly isReady: boolean;
  readonly isStoreConnected: boolean;
  /** Undefined: there is no canary. */
  readonly canary?: LiveCanary | undefined;
  /** What the last look at the node's files has found; undefined before the first, or where the files cannot be seen. */
  readonly findings?: readonly LiveFinding[] | undefined;
  /** Of all peers, however many LivePeers has. */
  readonly peerCounts: PeerCounts;
  /** Blobs whose bytes on this node's disk are not those of their digests. */
  readonly damagedBlobs: number;
  readonly memory: {
    /** Rounded to a MiB; undefined: that cannot be told. */
    readonly usedBytes?: number | undefined;
    /** Undefined: there is no limit. */
    readonly limitBytes?: number | undefined;
  };
}

/** The image that finds out whether containerd asks this mirror. */
export interface LiveCanary {
  /** Null before the first run has ended. */
  readonly last: CanaryResult | null;
  readonly isRunning: boolean;
}

/** Why the mirror is not used, or may not be. */
export interface LiveFinding {
  /** docs/TROUBLESHOOTING.md has a section on it. */
  readonly id: string;
  readonly severity: 'error' | 'warning' | 'info';
  /** What is wrong, and what follows from it. */
  readonly what: string;
  /** How it was seen: the file and its line, without the line's text, which may have passwords in it. */
  readonly seen: readonly string[];
  /** One step each, in words. The lines to write are with `spegel doctor`, because files may have passwords in them. */
  readonly fix: readonly string[];
}

/** What the mirror gave, and what it saved. Gone after a restart. */
export interface LiveTraffic {
  /** Oldest first, at most 24, the last of them has not ended. Hours without traffic are left out. */
  readonly hours: readonly TrafficHour[];
  /** By zone, this node's own first; empty where no node says where it is. At most 32. */
  readonly zones: readonly LiveZone[];
}

/** One hour of traffic, which begins when the clock shows a full hour (UTC). */
export interface TrafficHour extends Omit<LoggedHour, 'startedAtMs'> {
  /** ISO 8601. */
  readonly startedAt: string;
}

/** The peers of one zone. */
export interface LiveZone {
  readonly zone: string;
  readonly isOwn: boolean;
  /** Peers that belong to the cluster. */
  readonly members: number;
  /** Taken from them since this node started, as far as LivePeer.takenBytes knows. */
  readonly bytes: number;
}

/** Peers that are new or have changed since this stream's last event. See mergePeers(). */
export interface LivePeers {
  /** True: these are all of them, and what was told before does not count. */
  readonly isWhole: boolean;
  /** At most 2,000. */
  readonly peers: readonly LivePeer[];
  /** IDs of peers that are gone. */
  readonly gone: readonly string[];
}

/** Another node. */
export interface LivePeer {
  /** The libp2p peer ID. */
  readonly id: string;
  /** The name of its node, by its own word. */
  readonly name?: string | undefined;
  /** IP addresses. */
  readonly addresses: readonly string[];
  readonly zone?: string | undefined;
  readonly state: PeerCondition;
  /** Since when it is in this state, in ms since the epoch; undefined: not known. */
  readonly stateSinceMs?: number | undefined;
  /** True if it belongs to the cluster: only then it is asked. */
  readonly isMember: boolean;
  /** What it takes to answer, on the average of the last minute; undefined: not known. */
  readonly answerMs?: number | undefined;
  /** How fast bytes came from it in the last minute; undefined: not known. */
  readonly bytesPerSecond?: number | undefined;
  /** Bodies that it sends to other nodes just now, by its own word a moment ago. */
  readonly uploads?: number | undefined;
  /** Taken from it since this node started, in bytes. */
  readonly takenBytes: number;
  /** Given to it since this node started, in bytes. */
  readonly givenBytes: number;
  /** When a request asks it: among the first, after the others, or not at all; `why`: because of a moment ago. */
  readonly order: 'first' | 'last' | 'skipped';
  readonly why?: 'failed' | 'late' | 'slow' | undefined;
}

/** Pulls of this node's own containerd. See mergePulls(). */
export interface LivePulls {
  /** All that run just now, newest first, at most 32. */
  readonly running: readonly LivePull[];
  /** Those that have ended since this stream's last event, newest first; at the beginning all that are kept, at most 50. */
  readonly ended: readonly LivePull[];
}

/** A pull of this node's own containerd, as far as the mirror sees it. */
export interface LivePull {
  /** Counted from the start of the process: a pull keeps it when it ends. */
  readonly id: number;
  /** The name of the image, with its tag or digest. */
  readonly image: string;
  /** Undefined if no manifest was found so far. */
  readonly digest?: string | undefined;
  /** `served`: all that was asked for was given; `partly`: some of it; `missing`: nothing; `left`: containerd went away. */
  readonly outcome: 'running' | 'served' | 'partly' | 'missing' | 'left';
  /** ISO 8601. */
  readonly startedAt: string;
  /** From its first request to the end of its last; while it runs, until now. */
  readonly durationMs: number;
  readonly localBytes: number;
  /** From all peers, without what still runs: that is in `blobs`. */
  readonly peerBytes: number;
  /** The part of these that came through a flight. */
  readonly flightBytes: number;
  /** What is missing and was not given, as far as a manifest said its size: containerd gets it from the registry. */
  readonly upstreamBytes: number;
  /** Bytes that its manifests name and that were not on this node; undefined while that is not known. */
  readonly wantedBytes?: number | undefined;
  /** Most first, at most 16. */
  readonly peers: readonly PullPeer[];
  /** Manifests first, then what they name in its order: at most 200 while it runs, 64 when it has ended. */
  readonly blobs: readonly PullBlob[];
  /** How many there are in all. */
  readonly blobCount: number;
}

/** Which node streams from which just now, as far as this node knows. The names of nodes are in LivePeer, by peer ID. */
export interface LiveStreams {
  /** Undefined: this node takes no part in flights. */
  readonly flights?: FlightsReport | undefined;
}

/** Ended pulls that are kept. */
export const MAX_ENDED_PULLS = 50;

/** The peers by ID after the event. */
export function mergePeers(
  before: ReadonlyMap<string, LivePeer>,
  { isWhole, peers, gone }: LivePeers,
): ReadonlyMap<string, LivePeer> {
  const after = new Map(isWhole ? [] : before);
  for (const id of gone) after.delete(id);
  for (const peer of peers) after.set(peer.id, peer);
  return after;
}

/** The ended pulls after the event: first the one whose last request ended last. `before`: those of the same process. */
export function mergePulls(before: readonly LivePull[], { ended }: LivePulls): readonly LivePull[] {
  const fresh = new Set(ended.map(({ id }) => id));
  return [...ended, ...before.filter(({ id }) => !fresh.has(id))]
    .sort((a, b) => endOf(b) - endOf(a))
    .slice(0, MAX_ENDED_PULLS);
}

function endOf({ startedAt, durationMs }: LivePull): number {
  return Date.parse(startedAt) + durationMs;
}
