import type { TransportClient, ClientResponse } from '../http/transport.ts';
import type { Flights } from '../flights/flights.ts';
import type { Digest } from '../oci/digest.ts';
import type { Descriptor } from '../oci/manifest.ts';
import type { Peer } from '../routing/router.ts';
import type { PeerView } from '../routing/peer-view.ts';
import { createZoneOutages, type ZoneOutages } from '../routing/zone-outages.ts';
import type { PeerStanding } from '../routing/why-report.ts';
import { createByteBudget } from '../runtime/memory/byte-budget.ts';
import { SMALL_BLOBS_HELD_BYTES } from './budgets.ts';
import type { BlobRequest, TransferOptions } from './blob-sources-contract.ts';
import {
  type FetchedManifest,
  fetchManifest,
  type HeldManifest,
  type ManifestRequest,
  type NotFetched,
  statBlobAtPeers,
} from './fetch-manifest.ts';
import { createDeliveredBlobs, type DeliveredBlobsDeps } from './delivered-blobs.ts';
import { createFlownBlobs } from './flown-blobs.ts';
import { createKnownSizes } from './known-sizes.ts';
import { createMissCache } from './miss-cache.ts';
import { createPieceHistory } from './piece-history.ts';
import { createRelays } from './relays.ts';
import { formatNodeWord, NODE_HEADER } from './node-word.ts';
import { createPeerHealth } from './peer-health.ts';
import type { PeerTarget } from './peer-requests.ts';
import { probePeer } from './probe-peer.ts';
import { createHedgeBudget } from './hedge-budget.ts';
import { createPeerProbes } from './peer-probes.ts';
import { createPeerScores } from './peer-scores.ts';
import { createPeerNames } from './peer-names.ts';
import { createPeerZones } from './peer-zones.ts';
import type { PeerSessionDeps } from './peer-session.ts';
import { type BlobOutcome, serveBlob } from './serve-blob.ts';
import {
  awaitDownload,
  type DownloadOutcome,
  type DownloadRequest,
  serveDownload,
} from './serve-download.ts';
import { createSlowBlobs } from './slow-blobs.ts';
import { tellGivers } from './tell-givers.ts';
import { createThroughputFloor } from './throughput-floor.ts';

/** The client that an answer is looked for. Its signal is only made for what is not known at once. */
export type AskingClient = Pick<ClientResponse, 'gone'>;

/** The engine: decides which peer serves what, when to give up on one, and how to go on. */
export interface Transfer {
  /** Serves a blob to the client, from the store or from peers; never rejects for what a peer does. */
  serveBlob(request: BlobRequest, client: ClientResponse): Promise<BlobOutcome>;
  /**
   * How serveBlob() would end for a request of this node's client for what no node had a moment ago; undefined: it has to be looked
   * for. `isJudged` as in BlobRequest.
   */
  knownMiss(digest: Digest, isJudged: boolean): (BlobOutcome & { readonly how: 'missing' }) | undefined;
  /** Counts bytes of a blob of the store that were answered without serveBlob(). */
  answeredHere(bytes: number): void;
  /** Gets a manifest from peers, verified. */
  fetchManifest(request: ManifestRequest, client: AskingClient): Promise<HeldManifest | NotFetched>;
  /** Asks peers for a blob's size. */
  statBlob(
    request: { readonly digest: Digest; readonly repository: string; readonly registry: string | undefined },
    client: AskingClient,
  ): Promise<{ readonly sizeBytes: number; readonly origin: string } | NotFetched>;
  /** Gives another node a blob that this node is downloading, see serveDownload(). */
  serveDownload(request: DownloadRequest, client: ClientResponse): Promise<DownloadOutcome>;
  /** Waits a moment for a small download of this node to end, see awaitDownload(). */
  awaitDownload(digest: Digest, gone: AbortSignal): Promise<'over' | 'waiting'>;
  /** Learns how large content is, from a manifest that a client of this node was given. */
  learnSizes(references: readonly Descriptor[]): void;
  /** How this node thinks of a peer. */
  standingOf(peer: Peer): PeerStanding;
  /** What this node has seen of a peer, for those who look. */
  viewOf(peer: Peer): PeerView;
  /** Asks a peer whether it would give the content now, see probePeer(). */
  probe(question: { readonly peer: Peer; readonly target: PeerTarget }, signal: AbortSignal): Promise<string>;
  /** As fetchManifest(), without flights, and without a trace: what peers do then is neither counted nor remembered. */
  peekManifest(request: ManifestRequest, signal: AbortSignal): Promise<FetchedManifest | NotFetched>;
  /** Headers of an answer with content to another node: what this node says of itself. */
  nodeHeaders(): Readonly<Record<string, string>>;
  /** Tells of a peer that is there (again): if it failed lately, that is of the past. */
  peerReturned(peerId: string): void;
}

/** What the engine needs: contracts and a clock. */
export type TransferDeps = Omit<
  PeerSessionDeps,
  'health' | 'probes' | 'zones' | 'names' | 'outages' | 'scores' | 'hedges'
> & {
  /** Shared with flights. Default: of its own. */
  readonly outages?: ZoneOutages | undefined;
  readonly transport: Pick<
    TransportClient,
    'createRelay' | 'openFile' | 'openGrowingFile' | 'openBytes' | 'request' | 'readBody' | 'requestSmall'
  >;
  /** One download feeds the cluster; undefined: each node downloads for itself. */
  readonly flights?: Flights | undefined;
  /** Where it is found out what containerd refused; undefined: it is not. */
  readonly refused?: Pick<DeliveredBlobsDeps, 'store' | 'ingests' | 'hasher'> | undefined;
};

/** Creates the engine; it owns no resources. */
export function createTransfer(deps: TransferDeps, options: TransferOptions): Transfer {
  const { clock, logger } = deps;
  const health = createPeerHealth(clock);
  const shared = {
    ...deps,
    health,
    delivered:
      deps.refused &&
      createDeliveredBlobs({
        ...deps.refused,
        onWrong(digest, givers, isSure) {
          health.gaveWrong(digest, givers, isSure);
          deps.observer.wrongBlob?.();
          tellGivers(deps, options, digest, givers);
        },
        clock,
        logger,
      }),
    probes: createPeerProbes({ ...deps, health }, options),
    zones: createPeerZones(options.zone),
    outages: deps.outages ?? createZoneOutages(clock),
    names: createPeerNames(),
    scores: createPeerScores(clock),
    hedges: createHedgeBudget(),
    floor: createThroughputFloor(clock),
    slowBlobs: createSlowBlobs(clock),
    flownBlobs: createFlownBlobs(clock),
    sizes: createKnownSizes(),
    smallBlobs: createByteBudget(clock, SMALL_BLOBS_HELD_BYTES),
    relays: createRelays(deps.transport),
    pieces: createPieceHistory(clock),
  };
  const misses = createMissCache(clock);
  /** Bodies that are being sent to other nodes. */
  let uploads = 0;
  const nodeHeaders = () => ({
    [NODE_HEADER]: formatNodeWord({ zone: options.zone, uploads, name: options.nodeName }),
  });
  const uploading = async <T>(send: (headers: Readonly<Record<string, string>>) => Promise<T>) => {
    uploads++;
    try {
      return await send(nodeHeaders());
    } finally {
      uploads--;
    }
  };

  /** Answers a miss of a moment ago at once, and remembers a new one. */
  const remembering = async <T extends object>(
    key: string,
    client: AskingClient,
    look: () => Promise<T | NotFetched>,
  ): Promise<T | NotFetched> => {
    const known = misses.get(key);
    if (known !== undefined) return known;
    const found = await look();
    if (isMiss(found) && !client.gone.aborted) {
      misses.add(key, { attempts: found.attempts, skipped: found.skipped, reason: found.reason });
    }
    return found;
  };

  return {
    async serveBlob(request, client) {
      const { digest, local } = request;
      if (!request.mayAskPeers) {
        return uploading((headers) => serveBlob(shared, options, { ...request, headers }, client));
      }
      // What is here, or was a moment ago, needs no memory.
      if (local !== undefined) return serveBlob(shared, options, request, client);
      const serve = () => serveBlob(shared, options, request, client);
      const outcome = await remembering<BlobOutcome>(digest, client, serve);
      const isUpstreams = !('how' in outcome) || outcome.how === 'missing' || outcome.how === 'unsatisfiable';
      if (isUpstreams && request.isJudged === true) shared.delivered?.restIsElsewhere(digest);
      return 'how' in outcome ? outcome : { how: 'missing', localVanished: false, ...outcome };
    },
    knownMiss(digest, isJudged) {
      const known = misses.get(digest);
      if (known === undefined) return undefined;
      if (isJudged) shared.delivered?.restIsElsewhere(digest);
      return { how: 'missing', localVanished: false, ...known };
    },
    answeredHere: (bytes) => deps.observer.bytesMoved('local', bytes),
    fetchManifest: (request, client) =>
      remembering(request.key, client, () => fetchManifest(shared, options, request, client.gone)),
    statBlob: (request, client) =>
      remembering(request.digest, client, () => statBlobAtPeers(shared, options, request, client.gone)),
    async serveDownload(request, client) {
      const { flights } = deps;
      if (flights === undefined) return 'absent';
      return uploading((headers) => serveDownload({ ...shared, flights }, { ...request, headers }, client));
    },
    async awaitDownload(digest, gone) {
      const { flights } = deps;
      return flights === undefined ? 'over' : awaitDownload({ flights, clock }, digest, gone);
    },
    standingOf(peer) {
      const rates = peer.addresses.flatMap((host) => shared.floor.givenBy(host) ?? []);
      return {
        ...shared.health.standing(peer),
        bytesPerSecond: rates.length > 0 ? Math.max(...rates) : undefined,
      };
    },
    viewOf: (peer) => ({
      ...shared.health.standing(peer),
      ...shared.scores.scoreOf(peer),
      name: shared.names.nameOf(peer),
    }),
    async peekManifest(request, signal) {
      const observer = { peerAsked() {}, bytesMoved() {}, lookupEnded() {} };
      const untraced = {
        ...shared,
        observer,
        health: createPeerHealth(clock),
        probes: { probe() {} },
        outages: createZoneOutages(clock),
        scores: createPeerScores(clock),
        hedges: createHedgeBudget(),
        flights: undefined,
      };
      return fetchManifest(untraced, options, request, signal);
    },
    probe: (question, signal) => probePeer(deps, options, question, signal),
    learnSizes: (references) => shared.sizes.learn(references),
    nodeHeaders,
    peerReturned: (peerId) => shared.health.returned(peerId),
  };
}

function isMiss(found: object): found is NotFetched {
  return 'attempts' in found;
}
