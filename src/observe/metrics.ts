import { createCanaryMetrics } from './canary-metrics.ts';
import { createHttpMetrics } from './http-metrics.ts';
import { createIntegrityMetrics } from './integrity-metrics.ts';
import { createKernelMetrics } from './kernel-metrics.ts';
import { createFlightMetrics } from './flight-metrics.ts';
import { createMemoryMetrics } from './memory-metrics.ts';
import { createLabelCap } from './label-cap.ts';
import { createMetricFactory } from './metric-factory.ts';
import { createRegistryCounts } from './registry-counts.ts';
import { createRoutingMetrics } from './routing-metrics.ts';

/** Distinct `registry` label values: a node pulls from a handful of registries; the name comes from a request. */
const MAX_REGISTRY_LABELS = 100;
/** Lookups: the default budget is 20 ms, in seconds. */
const RESOLVE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1];

/** How much this node announces, by registry. The registry is empty for content that no image names. */
export interface AdvertisedCounts {
  readonly imageTags: ReadonlyMap<string, number>;
  /** Digests that a tag names. */
  readonly imageDigests: ReadonlyMap<string, number>;
  /** All digests: of what images lead to, and of what no image names. */
  readonly contentDigests: ReadonlyMap<string, number>;
}

/**
 * The process's metrics: names and labels of Spegel (Go) v0.7.4, and this project's own beside them. What happens is told when
 * it happens; what a metric is to read when it is exposed comes from a source, given once (`…From`).
 */
export type Metrics = ReturnType<typeof createMetrics>;

/** Creates the metrics with a registry of their own. */
export function createMetrics(build: { readonly version: string; readonly commit: string }) {
  const factory = createMetricFactory();
  const { counter, gauge, histogram } = factory;
  const registryLabel = createLabelCap(MAX_REGISTRY_LABELS);

  const mirrorRequests = counter(
    'spegel_mirror_requests_total',
    'Requests that this node could not serve itself: hit if a peer served, miss if none did. Registries of no image here are other.',
    ['registry', 'cache'],
  );
  const lastSuccess = gauge(
    'spegel_mirror_last_success_timestamp_seconds',
    'When a peer last served a request, in seconds since the epoch.',
  );
  const resolveDuration = histogram(
    'spegel_resolve_duration_seconds',
    'Time until a lookup found its first peer, or gave up.',
    ['router'],
    RESOLVE_BUCKETS,
  );
  const imageTags = gauge('spegel_advertised_image_tags', 'Image tags announced to peers.', ['registry']);
  const imageDigests = gauge('spegel_advertised_image_digests', 'Image digests announced to peers.', [
    'registry',
  ]);
  const contentDigests = gauge(
    'spegel_advertised_content_digests',
    'Blobs and manifests announced to peers.',
    ['registry'],
  );
  const http = createHttpMetrics(factory);
  const servedBytes = counter(
    'spegel_served_bytes_total',
    'Body bytes sent to clients, by source: local is this node, peer another one.',
    ['source'],
  );
  const zoneBytes = counter(
    'spegel_zone_bytes_total',
    'Body bytes from peers, by their zone (--zone): own is that of this node; unknown where one of the two does not say where it is. What spegel_served_bytes_total counts for source peer.',
    ['zone'],
  );
  const pieceBytes = counter(
    'spegel_piece_bytes_total',
    'Body bytes that came in pieces from several peers side by side. A part of what spegel_served_bytes_total counts for source peer.',
  );
  const peerRequests = counter(
    'spegel_peer_requests_total',
    'Requests to peers, by how they ended: served, or what was wrong.',
    ['result'],
  );
  const hedges = counter(
    'spegel_hedges_total',
    'Requests that were asked of a second peer because the first was late, by the peer that gave the content: first, second or none.',
    ['winner'],
  );
  const flights = createFlightMetrics(factory);
  const kernel = createKernelMetrics(factory);
  const integrity = createIntegrityMetrics(factory);
  const canary = createCanaryMetrics(factory);
  const brokenResponses = counter(
    'spegel_broken_responses_total',
    'Bodies that were broken off because no source could go on; containerd asks for the rest.',
  );
  const uploadsRunning = gauge(
    'spegel_uploads_running',
    'Layers that are being given to other nodes and to strangers, while a cap is set.',
  );
  const uploadsRefused = counter(
    'spegel_uploads_refused_total',
    'Layers that were not given to other nodes and to strangers, because of --max-uploads or --max-upload-rate.',
  );
  const storeConnected = gauge('spegel_containerd_connected', '1 while containerd answers, else 0.');
  const storeReconnects = counter(
    'spegel_containerd_reconnects_total',
    'Times that containerd came back after being away.',
  );
  const peersKnown = gauge('spegel_router_peers', 'Peers that the router knows.');
  const doctorFindings = gauge(
    'spegel_doctor_findings',
    'What the last look at the files of this node has found, by the code of docs/TROUBLESHOOTING.md.',
    ['code', 'severity'],
  );
  const doctorCheck = gauge(
    'spegel_doctor_last_check_timestamp_seconds',
    'When the files of this node were looked at last, in seconds since the epoch; 0: they cannot be seen.',
  );
  const memory = createMemoryMetrics(factory);
  const routing = createRoutingMetrics(factory);
  gauge('spegel_build_info', 'Always 1; the labels say what runs.', ['version', 'commit']).set(
    { ...build },
    1,
  );
  gauge('process_start_time_seconds', 'When the process started, in seconds since the epoch.').set(
    Math.round((Date.now() - performance.now()) / 1000),
  );
  storeConnected.set(0);
  let storeWasAway = false;
  let isOwnRegistry = (_registry: string) => true;
  let advertisedNow: (() => AdvertisedCounts) | undefined;
  let peerCountNow: (() => Promise<number>) | undefined;
  let uploadsNow: (() => number) | undefined;
  const requestsByRegistry = createRegistryCounts((label, cache, requests) =>
    mirrorRequests.inc({ registry: registryLabel(label), cache }, requests),
  );
  const setAdvertised = (counts: AdvertisedCounts) => {
    for (const [metric, values] of [
      [imageTags, counts.imageTags],
      [imageDigests, counts.imageDigests],
      [contentDigests, counts.contentDigests],
    ] as const) {
      metric.reset();
      // Added up: several registries may share the label of those over the cap.
      for (const [name, count] of values) metric.inc({ registry: registryLabel(name) }, count);
    }
  };
  factory.beforeExposing(async () => {
    requestsByRegistry.settle(isOwnRegistry);
    if (advertisedNow !== undefined) setAdvertised(advertisedNow());
    uploadsRunning.set(uploadsNow?.() ?? 0);
    if (peerCountNow !== undefined) peersKnown.set(await peerCountNow());
  });

  return {
    /** All of them, in the order in which they are exposed. */
    definitions: factory.definitions,
    /** The content type and text of GET /metrics. */
    expose: factory.expose,
    /** What the router does. */
    routing,
    /** Says which registries are this node's own: requests for others are counted as `other`. Without it, all are. */
    registriesFrom(isOwn: (registry: string) => boolean): void {
      isOwnRegistry = isOwn;
    },
    /** Says what is announced. Without it, nothing is. */
    advertisedFrom(counts: () => AdvertisedCounts): void {
      advertisedNow = counts;
    },
    /** Says how many peers the router knows. */
    peersFrom(count: () => Promise<number>): void {
      peerCountNow = count;
    },
    mirrorRequest(registryName: string, cache: 'hit' | 'miss'): void {
      requestsByRegistry.add(registryName, cache);
      if (cache === 'hit') lastSuccess.set(Date.now() / 1000);
    },
    lookupEnded(durationMs: number): void {
      resolveDuration.observe({ router: 'libp2p' }, durationMs / 1000);
    },
    peerAsked: (result: string): void => peerRequests.inc({ result }),
    /** Says how many downloads this node has in flights. Without it, there are none. */
    flightsFrom: flights.downloadsFrom,
    flightEnded: flights.ended,
    ...integrity,
    ...memory,
    ...canary,
    /** Says what the kernel moves. Without it, nothing. */
    kernelFrom: kernel.figuresFrom,
    flightBytesMoved: flights.bytesMoved,
    bytesMoved: (source: 'local' | 'peer', bytes: number): void => servedBytes.inc({ source }, bytes),
    /** Says how many uploads run. Without it, none do. */
    uploadsFrom(count: () => number): void {
      uploadsNow = count;
    },
    uploadRefused: (): void => uploadsRefused.inc(),
    hedged: (winner: 'first' | 'second' | 'none'): void => hedges.inc({ winner }),
    zoneBytesMoved: (zone: 'own' | 'other' | 'unknown', bytes: number): void =>
      zoneBytes.inc({ zone }, bytes),
    pieceMoved: (bytes: number): void => pieceBytes.inc(bytes),
    responseBroken: (): void => brokenResponses.inc(),
    storeConnection(up: boolean): void {
      storeConnected.set(up ? 1 : 0);
      if (up && storeWasAway) storeReconnects.inc();
      storeWasAway = !up;
    },
    /** What a look at the node's files has found. */
    doctorChecked(findings: ReadonlyArray<{ readonly id: string; readonly severity: string }>): void {
      doctorFindings.reset();
      for (const { id, severity } of findings) doctorFindings.inc({ code: id, severity });
      doctorCheck.set(Date.now() / 1000);
    },
    ...http,
  };
}
