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
  /** Runs the request, and tells of it if this node gives as much as it may: one that it refuses with 503. */
  orOverloaded<T>(run: () => Promise<T>): Promise<T>;
}

/** Sources that are kept of one request: however many peers break, the last ones tell how it ended. */
const MAX_SOURCES = 8;

/** Starts the time of a request. */
export function followTransfer(
  { clock, transferEnded, traffic, isOwn }: TransferFollowerDeps,
  { path, forwarded, pull, client }: AdmittedRequest,
): TransferFollower {
  const startedMs = clock.nowMs();
  const sources: TransferSource[] = [];
  const isOwnClient = !forwarded && isOwn?.(client.remoteAddress) === true;
  let movedBytes = 0;
  let flight: TransferFlight | undefined;
  const add = (source: TransferSource) => {
    movedBytes += source.movedBytes;
    const isLocal = source.origin === 'local';
    if (!isLocal) traffic?.byPeer.add(source.origin, { takenBytes: source.movedBytes });
    if (isOwnClient) {
      traffic?.byHour.add({ [isLocal ? 'localBytes' : 'peerBytes']: source.movedBytes });
    }
    // Pieces of one peer are one source.
    const same = sources.findIndex(
      ({ origin, ended }) => origin === source.origin && ended === 'complete' && source.ended === ended,
    );
    const before = sources[same];
    if (before !== undefined) {
      sources[same] = { ...before, movedBytes: before.movedBytes + source.movedBytes };
      return;
    }
    sources.push(source);
    if (sources.length > MAX_SOURCES) sources.shift();
  };
  const ended: TransferFollower['ended'] = (digest, outcome, missing) => {
    const { kind, registry, repository } = path;
    const tag = 'tag' in path ? path.tag : undefined;
    const durationMs = clock.nowMs() - startedMs;
    const name = { kind, registry, repository, tag, digest, forwarded };
    const transfer = { ...name, sources, flight, movedBytes, durationMs, outcome, missing };
    transferEnded(transfer);
    const isHit = outcome === 'served' || outcome === 'resumed';
    if (isOwnClient && outcome !== 'client-gone') traffic?.byHour.add(isHit ? { hits: 1 } : { misses: 1 });
    pull?.ended(transfer);
  };
  return {
    ended,
    async orOverloaded(run) {
      try {
        return await run();
      } catch (error) {
        const isRefused = error instanceof DistributionError && error.status === 503;
        if (isRefused && !forwarded) {
          ended('digest' in path ? path.digest : undefined, 'missing', 'overloaded');
        }
        throw error;
      }
    },
    begins: (origin) => pull?.from(origin),
    moved(origin, end) {
      const ended = end.how === 'source-broken' ? end.reason : end.how;
      pull?.from(origin);
      add({ origin, movedBytes: end.movedBytes, ended });
    },
    movedManifest({ origin, bytes }) {
      add({ origin, movedBytes: bytes.byteLength, ended: 'complete' });
    },
    flew(now) {
      flight = now;
    },
    get flight() {
      return flight;
    },
  };
}
