import type { PeerTraffic } from '../observe/peer-traffic.ts';
import type { PullLog } from '../observe/pull-log.ts';
import type { TrafficLog } from '../observe/traffic-log.ts';
import type { FlightsReport } from '../routing/flights-report.ts';
import { countPeers } from '../routing/peer-counts.ts';
import type { PeerView } from '../routing/peer-view.ts';
import type { Peer, PeerState, Router } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import { createPeersSection } from './live-peers.ts';
import { createPullsSection } from './live-pulls.ts';
import type { LiveEvents, LiveHealth, LivePeer, LiveStreams, LiveTraffic, LiveZone } from './live-report.ts';
import { createLiveSource, createWholeSection, type LiveSource } from './live-section.ts';

/** What the stream at LIVE_PATH tells of. */
export interface LiveFactsDeps {
  readonly router: Pick<Router, 'self' | 'ready' | 'peers'>;
  readonly viewOf: (peer: Peer) => PeerView;
  readonly byPeer: Pick<PeerTraffic, 'of'>;
  readonly byHour: Pick<TrafficLog, 'hours'>;
  readonly pulls: Pick<PullLog, 'running' | 'last'>;
  /** What this node knows of flights; undefined: it takes no part in flights. */
  readonly flights?: (() => Omit<FlightsReport, 'self'>) | undefined;
  /** The rest of the node's health. */
  readonly health: () => Pick<
    LiveHealth,
    'version' | 'startedAt' | 'isStoreConnected' | 'canary' | 'findings' | 'damagedBlobs' | 'memory'
  >;
  /** The time of day, in ms since the epoch. */
  readonly wallClockMs: () => number;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** All that is told, as it was when it was read last. */
export interface LiveFacts {
  readonly sources: readonly LiveSource[];
  /** Reads everything anew. */
  refresh(): Promise<void>;
}

const MIB = 1024 * 1024;
/** Zones that are told; a peer may say any. */
const MAX_ZONES = 32;
/** So many times as long as it took to read the peers they are left alone: 1,000 take 50 ms, so they are read every 5 s. */
const PEERS_REST = 100;
/** The longest time in which they are left alone. */
const MAX_PEERS_REST_MS = 10_000;
/** More of a flight is read at each second refresh only, in bytes of JSON. */
const LARGE_FLIGHTS = 50_000;

/** Has read nothing yet. What it keeps goes with it. */
export function createLiveFacts(deps: LiveFactsDeps): LiveFacts {
  const { router, flights, clock } = deps;
  let peers: readonly PeerState[] = [];
  let told: readonly LivePeer[] = [];
  let refreshes = 0;
  /** When the peers may be read again. */
  let peersDueMs = -Infinity;
  const sources = {
    health: createLiveSource(
      'health',
      createWholeSection((): LiveHealth => healthOf(deps, peers)),
    ),
    traffic: createLiveSource(
      'traffic',
      createWholeSection((): LiveTraffic => trafficOf(deps, told)),
    ),
    peers: createLiveSource(
      'peers',
      createPeersSection(() => told),
    ),
    pulls: createLiveSource('pulls', createPullsSection(deps.pulls)),
    streams: createLiveSource(
      'streams',
      createWholeSection((): LiveStreams => ({
        flights: flights && { self: router.self().id, ...flights() },
      })),
    ),
  } satisfies Record<keyof LiveEvents, LiveSource>;
  return {
    sources: Object.values(sources),
    async refresh() {
      if (clock.nowMs() >= peersDueMs) {
        const startedMs = clock.nowMs();
        peers = await router.peers();
        told = peers.map((peer) => livePeer(deps, peer));
        sources.peers.refresh();
        const tookMs = clock.nowMs() - startedMs;
        peersDueMs = clock.nowMs() + Math.min(MAX_PEERS_REST_MS, tookMs * PEERS_REST);
      }
      sources.health.refresh();
      sources.traffic.refresh();
      sources.pulls.refresh();
      const flightsLength = sources.streams.since(0)?.event.length ?? 0;
      const isTurn = refreshes++ % 2 === 0;
      if (isTurn || flightsLength <= LARGE_FLIGHTS) sources.streams.refresh();
    },
  };
}

function healthOf({ router, health }: LiveFactsDeps, peers: readonly PeerState[]): LiveHealth {
  const { id, multiaddrs, zone, name } = router.self();
  const { memory, ...rest } = health();
  const { usedBytes, limitBytes } = memory;
  return {
    self: { id, name, addresses: multiaddrs, zone },
    isReady: router.ready(),
    peerCounts: countPeers(peers),
    memory: {
      usedBytes: usedBytes === undefined ? undefined : Math.round(usedBytes / MIB) * MIB,
      limitBytes,
    },
    ...rest,
  };
}

function livePeer({ viewOf, byPeer, wallClockMs }: LiveFactsDeps, peer: PeerState): LivePeer {
  const { id, addresses, zone, state, inStateMs, isMember } = peer;
  const { order, why, answerMs, bytesPerSecond, uploads, name } = viewOf(peer);
  return {
    id,
    name: peer.name ?? name,
    addresses,
    zone,
    state,
    stateSinceMs: inStateMs === undefined ? undefined : Math.round(wallClockMs() - inStateMs),
    isMember,
    answerMs: answerMs === undefined ? undefined : Math.round(answerMs * 10) / 10,
    bytesPerSecond: bytesPerSecond === undefined ? undefined : Math.round(bytesPerSecond),
    uploads,
    ...byPeer.of(addresses),
    order,
    why,
  };
}

function trafficOf({ byHour, router }: LiveFactsDeps, peers: readonly LivePeer[]): LiveTraffic {
  const own = router.self().zone;
  const zones = new Map<string, { members: number; bytes: number }>();
  if (own !== undefined) zones.set(own, { members: 0, bytes: 0 });
  for (const { zone, isMember, takenBytes } of peers) {
    if (zone === undefined) continue;
    const sum = zones.get(zone) ?? { members: 0, bytes: 0 };
    if (isMember) sum.members++;
    sum.bytes += takenBytes;
    if (zones.has(zone) || zones.size < MAX_ZONES) zones.set(zone, sum);
  }
  const byName = [...zones].map(([zone, sum]): LiveZone => ({
    zone,
    isOwn: zone === own,
    members: sum.members,
    bytes: sum.bytes,
  }));
  return {
    hours: byHour
      .hours()
      .map(({ startedAtMs, ...hour }) =>
        Object.assign({ startedAt: new Date(startedAtMs).toISOString() }, hour),
      ),
    zones: byName.toSorted(
      (a, b) => Number(b.isOwn) - Number(a.isOwn) || (a.zone < b.zone ? -1 : Number(a.zone > b.zone)),
    ),
  };
}
