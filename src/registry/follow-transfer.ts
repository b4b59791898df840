import type { MoveEnd } from '../http/transport.ts';
import type {
  EndedTransfer,
  MissReason,
  TransferFlight,
  TransferOutcome,
  TransferSource,
} from '../observe/transfer-log.ts';
import type { PeerTraffic } from '../observe/peer-traffic.ts';
import type { TrafficLog } from '../observe/traffic-log.ts';
import type { Digest } from '../oci/digest.ts';
import { DistributionError } from '../oci/distribution-error.ts';
import type { Clock } from '../runtime/clock.ts';
import type { FetchedManifest } from '../transfer/fetch-manifest.ts';
import type { AdmittedRequest } from './content-request.ts';

/** What createTransferFollower needs. */
export interface TransferFollowerDeps {
  readonly clock: Clock;
  /** Told of content that went to a client, or that was nowhere to be found. */
  readonly transferEnded: (transfer: EndedTransfer) => void;
  /** Where what is moved is added up, for those who look; undefined: nowhere. */
  readonly traffic?: TrafficCounts | undefined;
  /** Whether an address is this node's own. Default: none is. */
  readonly isOwn?: ((address: string) => boolean) | undefined;
}

/** What adds up what is moved. */
export interface TrafficCounts {
  readonly byHour: Pick<TrafficLog, 'add'>;
  readonly byPeer: Pick<PeerTraffic, 'add'>;
}

/** Follows one request until its end, for those who look at the node later. */
export interface TransferFollower {
  /** Bytes will be moved from there, an address or `local`. */
  begins(origin: string): void;
  /** Bytes were moved from a source. */
  moved(origin: string, end: MoveEnd): void;
  /** A whole manifest came from a source. */
  movedManifest(manifest: FetchedManifest): void;
  /** A flight takes part in it. */
  flew(flight: TransferFlight): void;
  /** The flight's part so far. */
  readonly flight: TransferFlight | undefined;
  /** The request has ended; the digest is undefined for a tag that was not found. `missing`: why it was. */
  ended(digest: Digest | undefined, outcome: TransferOutcome, missing?: MissReason): void;
  /** The request was refused with an error: tells of it if this node gives as much as it may (503). */
  failed(error: unknown): void;
}

/** Sources that are kept of one request: however many peers break, the last ones tell how it ended. */
const MAX_SOURCES = 8;

/** Starts the time of a request. */
export function followTransfer(deps: TransferFollowerDeps, request: AdmittedRequest): TransferFollower {
  return new RequestFollower(deps, request);
}

/** A class, because each request makes such an object. */
class RequestFollower implements TransferFollower {
  readonly #deps: TransferFollowerDeps;
  readonly #request: AdmittedRequest;
  readonly #startedMs: number;
  readonly #sources: TransferSource[] = [];
  readonly #isOwnClient: boolean;
  #movedBytes = 0;
  #flight: TransferFlight | undefined;

  constructor(deps: TransferFollowerDeps, request: AdmittedRequest) {
    this.#deps = deps;
    this.#request = request;
    this.#startedMs = deps.clock.nowMs();
    this.#isOwnClient = !request.forwarded && deps.isOwn?.(request.client.remoteAddress) === true;
  }

  get flight(): TransferFlight | undefined {
    return this.#flight;
  }

  begins(origin: string): void {
    this.#request.pull?.from(origin);
  }

  moved(origin: string, end: MoveEnd): void {
    this.#request.pull?.from(origin);
    const ended = end.how === 'source-broken' ? end.reason : end.how;
    this.#add({ origin, movedBytes: end.movedBytes, ended });
  }

  movedManifest({ origin, bytes }: FetchedManifest): void {
    this.#add({ origin, movedBytes: bytes.byteLength, ended: 'complete' });
  }

  flew(now: TransferFlight): void {
    this.#flight = now;
  }

  ended(digest: Digest | undefined, outcome: TransferOutcome, missing?: MissReason): void {
    const { clock, traffic, transferEnded } = this.#deps;
    const { path, forwarded, pull } = this.#request;
    const { kind, registry, repository } = path;
    const transfer: EndedTransfer = {
      kind,
      registry,
      repository,
      tag: 'tag' in path ? path.tag : undefined,
      digest,
      forwarded,
      sources: this.#sources,
      flight: this.#flight,
      movedBytes: this.#movedBytes,
      durationMs: clock.nowMs() - this.#startedMs,
      outcome,
      missing,
    };
    transferEnded(transfer);
    if (this.#isOwnClient && outcome !== 'client-gone') {
      traffic?.byHour.add(outcome === 'served' || outcome === 'resumed' ? HIT : MISS);
    }
    pull?.ended(transfer);
  }

  failed(error: unknown): void {
    const { path, forwarded } = this.#request;
    if (forwarded || !(error instanceof DistributionError) || error.status !== 503) return;
    this.ended('digest' in path ? path.digest : undefined, 'missing', 'overloaded');
  }

  #add(source: TransferSource): void {
    const { traffic } = this.#deps;
    const { origin, movedBytes } = source;
    const sources = this.#sources;
    this.#movedBytes += movedBytes;
    const isLocal = origin === 'local';
    if (!isLocal) traffic?.byPeer.add(origin, { takenBytes: movedBytes });
    if (this.#isOwnClient) {
      traffic?.byHour.add({ [isLocal ? 'localBytes' : 'peerBytes']: movedBytes });
    }
    // Pieces of one peer are one source.
    const same = sources.findIndex(
      ({ origin: known, ended }) => known === origin && ended === 'complete' && source.ended === ended,
    );
    const before = sources[same];
    if (before !== undefined) {
      sources[same] = { ...before, movedBytes: before.movedBytes + movedBytes };
      return;
    }
    sources.push(source);
    if (sources.length > MAX_SOURCES) sources.shift();
  }
}

/** What a request adds to its hour. */
const HIT = { hits: 1 } as const;
const MISS = { misses: 1 } as const;
