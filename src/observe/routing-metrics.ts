import type { MetricFactory } from './metric-factory.ts';

/** A walk asks a few neighbours and waits for the fastest, in seconds. */
const WALK_SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1];
/** 3 where nobody has it and all answer at once, 20 at most. */
const WALK_PEERS_BUCKETS = [1, 2, 3, 5, 10, 20];

/** Who belongs to the cluster at this moment. */
interface MembershipFigures {
  /** Undefined where nobody lists them. */
  readonly members: number | undefined;
  readonly pending: number;
  /** Since the start. */
  readonly refused: number;
}

/** What the router is at this moment. */
export interface RoutingFigures {
  readonly records: number;
  readonly recordedKeys: number;
  /** Since the start. */
  readonly refusedRecords: number;
  readonly providedKeys: number;
  readonly waitingRecords: number;
  readonly peers: Readonly<Record<'connected' | 'suspect' | 'dead', number>>;
  readonly membership: MembershipFigures;
  /** Reason -> connections and streams that a limit has cost since the start. */
  readonly refused: Readonly<Record<string, number>>;
}

/** Where the first provider of a lookup came from; see docs/REFERENCE.md. */
const LOOKUP_OUTCOMES = ['record', 'kept', 'network', 'nobody'] as const;
type LookupOutcome = (typeof LOOKUP_OUTCOMES)[number];
type BootstrapOutcome = 'joined' | 'alone' | 'unnamed' | 'failed';

/** Makes the router's metrics. */
export function createRoutingMetrics({ counter, gauge, histogram, beforeExposing }: MetricFactory) {
  const members = gauge(
    'spegel_router_members',
    'Addresses that are members of the cluster, where DNS names them.',
    ['source'],
  );
  const pending = gauge(
    'spegel_router_pending_peers',
    'Addresses of peers that are connected and that DNS does not name yet.',
  );
  const refusedConnections = counter(
    'spegel_router_refused_connections_total',
    'Connections to the router that were refused or ended because their address is no member of the cluster.',
  );
  const peerStates = gauge(
    'spegel_router_peer_states',
    'Peers by state: connected; suspect, because the connection has just ended; dead, because they cannot be reached or have left.',
    ['state'],
  );
  const bootstraps = counter(
    'spegel_router_bootstraps_total',
    'Rounds of bootstrapping: joined, alone (nobody but this node is named), unnamed (the domain does not even name this node) or failed.',
    ['outcome'],
  );
  const records = gauge(
    'spegel_router_records',
    'Records of who provides what that this node holds for the cluster, its own among them.',
  );
  const recordedKeys = gauge(
    'spegel_router_recorded_keys',
    'Different pieces of content that these records name.',
  );
  const refusedRecords = counter(
    'spegel_router_refused_records_total',
    'Records that were refused because there was no room for them.',
  );
  const limited = counter(
    'spegel_router_limited_total',
    'Connections that were refused or ended, and streams that were reset, because of a limit. Of an address: rate, address_handshakes, address_connections; of all: handshakes, connections; slow_handshake; streams: frames (too much waits), slow_reader; ended for others: shed_peer, shed_other.',
    ['reason'],
  );
  const providedKeys = gauge('spegel_router_provided_keys', 'Tags and digests that this node provides.');
  const waitingRecords = gauge('spegel_router_waiting_records', 'Own records that wait to be sent to peers.');
  const sentRecords = counter('spegel_router_sent_records_total', 'Own records that peers have taken.');
  const sweepDuration = gauge(
    'spegel_router_sweep_duration_seconds',
    'Work in the last sweep, a round of providing everything again that is spread over 15 minutes.',
  );
  const sweepLag = gauge(
    'spegel_router_sweep_lag_seconds',
    'How late a part of the last sweep was at most; records fade 240 s after they were due.',
  );
  const lookups = counter(
    'spegel_router_lookups_total',
    'Lookups by where the first provider came from: record (held here), kept (found moments ago), network, or nobody.',
    ['outcome'],
  );
  const walkDuration = histogram(
    'spegel_router_walk_duration_seconds',
    'Time of a walk, in which a lookup asks peers, and those that they name, who provides something.',
    [],
    WALK_SECONDS_BUCKETS,
  );
  const walkPeers = histogram('spegel_router_walk_peers', 'Peers that a walk asked.', [], WALK_PEERS_BUCKETS);
  for (const outcome of LOOKUP_OUTCOMES) lookups.inc({ outcome }, 0);
  let figuresNow: (() => RoutingFigures) | undefined;
  beforeExposing(() => {
    if (figuresNow === undefined) return;
    const { membership, peers, refused, refusedRecords: noRoom, ...figures } = figuresNow();
    if (membership.members !== undefined) members.set({ source: 'dns' }, membership.members);
    pending.set(membership.pending);
    for (const [state, count] of Object.entries(peers)) peerStates.set({ state }, count);
    records.set(figures.records);
    recordedKeys.set(figures.recordedKeys);
    providedKeys.set(figures.providedKeys);
    waitingRecords.set(figures.waitingRecords);
    limited.reset();
    for (const [reason, count] of Object.entries(refused)) limited.inc({ reason }, count);
    refusedConnections.reset();
    refusedConnections.inc(membership.refused);
    refusedRecords.reset();
    refusedRecords.inc(noRoom);
  });

  return {
    /** Where to ask for figures from now on. */
    figuresFrom(figures: () => RoutingFigures): void {
      figuresNow = figures;
    },
    walkEnded({ durationMs, asked }: { readonly durationMs: number; readonly asked: number }): void {
      walkDuration.observe(durationMs / 1000);
      walkPeers.observe(asked);
    },
    lookupEnded(outcome: LookupOutcome): void {
      lookups.inc({ outcome });
    },
    recordsSent: (count: number): void => sentRecords.inc(count),
    sweepEnded({ busyMs, lagMs }: { readonly busyMs: number; readonly lagMs: number }): void {
      sweepDuration.set(busyMs / 1000);
      sweepLag.set(lagMs / 1000);
    },
    bootstrapEnded: (outcome: BootstrapOutcome): void => bootstraps.inc({ outcome }),
  };
}
