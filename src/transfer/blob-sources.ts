import type { BodyMover, BodySource, MoveEnd } from '../http/body-mover.ts';
import {
  type ByteRange,
  parseUnsatisfiedRange,
  type RangeSpec,
  rangeLength,
  resolveRange,
} from '../oci/byte-range.ts';
import type { Digest } from '../oci/digest.ts';
import type { Peer } from '../routing/router.ts';
import type { ByteBudget, TakenBytes } from '../runtime/memory/byte-budget.ts';
import type { Blob } from '../store/content-store.ts';
import {
  CONGESTED_WINDOW_MS,
  CONNECT_TIMEOUT_MS,
  FIRST_SOURCE_TIMEOUT_MS,
  FLOOR_SAMPLE_BYTES,
  HEAD_TIMEOUT_MS,
  LOCAL_STALL_TIMEOUT_MS,
  MAX_SLOW_SOURCES,
  REPLACEMENT_LOOKUP_TIMEOUT_MS,
} from './budgets.ts';
import type { KnownSizes } from './known-sizes.ts';
import { checkBlobAnswer, peerHeaders, peerPath, type Refusal } from './peer-requests.ts';
import { createPeerSession, type PeerSession, type PeerSessionDeps } from './peer-session.ts';
import { readVerified } from './small-blob.ts';
import type { SlowBlobs } from './slow-blobs.ts';
import type { BodyPace, ThroughputFloor } from './throughput-floor.ts';

/** What opening sources needs. */
export interface BlobSourcesDeps extends PeerSessionDeps {
  readonly smallBlobs: ByteBudget;
  readonly mover: Pick<BodyMover, 'openFile' | 'openBytes' | 'request' | 'readBody'>;
  readonly sizes: KnownSizes;
  readonly floor: ThroughputFloor;
  readonly slowBlobs: SlowBlobs;
}

/** Options that have a flag. */
export interface TransferOptions {
  /** Every node's registry listens on this port. */
  readonly registryPort: number;
  /** Longest wait for a peer to be found, while none is being asked, in ms (--mirror-resolve-timeout). */
  readonly resolveTimeoutMs: number;
  /** Most peers to ask before giving up, without those that are gone (--mirror-resolve-retries). */
  readonly resolveRetries: number;
  /** The Authorization header that peers want, if the cluster has basic auth. */
  readonly authorization?: string | undefined;
  /** Most bytes of a blob that is got whole and verified before it goes on. Default: 64 KiB, and 256 KiB of a config. */
  readonly wholeBytes?: number | undefined;
}

/** A blob for one client. */
export interface BlobRequest {
  readonly digest: Digest;
  readonly repository: string;
  readonly registry: string | undefined;
  readonly range: RangeSpec | undefined;
  /** The blob in this node's store, if it is there. */
  readonly local: Blob | undefined;
  /** False for a request that another node forwarded: then only the store counts. */
  readonly mayAskPeers: boolean;
  /** Told how each source ended that bytes were moved from. Must not throw. */
  readonly onMoved?: ((origin: string, end: MoveEnd) => void) | undefined;
}

/** A source of a part of the blob, checked against what was asked for. */
export interface OpenedBlob {
  readonly source: BodySource;
  readonly range: ByteRange;
  readonly sizeBytes: number;
  /** The peer's address, or `local`. */
  readonly origin: string;
  /** Undefined for this node's own file. */
  readonly peer: Peer | undefined;
  readonly stallTimeoutMs: number;
  /** Judges the source while it is moved; undefined for what this node has itself by now. */
  readonly pace: BodyPace | undefined;
}

/** What a peer answered. */
type Answered = Pick<OpenedBlob, 'source' | 'range' | 'sizeBytes' | 'origin'>;

/** Where a blob's bytes can come from, one source after the other: the own file first, then peers. */
export interface BlobSources extends Disposable {
  /** Opens the next source for the range, or undefined if there is none. With `replacing`, a body is under way. */
  open(part: {
    readonly range: RangeSpec | undefined;
    readonly sizeBytes: number | undefined;
    readonly replacing: boolean;
  }): Promise<OpenedBlob | undefined>;
  /** Tells how the move of a source ended, for the peer's record and the metrics. */
  moved(opened: OpenedBlob, end: MoveEnd): void;
  /** True if the blob should have been in the store and could not be opened. */
  readonly localVanished: boolean;
  /** The blob's size as a peer gave it that called the range unsatisfiable. */
  readonly sizeSaid: number | undefined;
  /** How many peers are not asked any more because they were slow with this blob; 0 while others may be asked. */
  readonly slowSources: number;
  /** The peers' part of the story, once any was looked for. */
  readonly peers: Pick<PeerSession, 'attempts' | 'skipped' | 'refusals'> | undefined;
}

/** Creates the sources of one request. Dispose it to end the lookup. */
export function createBlobSources(
  deps: BlobSourcesDeps,
  options: TransferOptions,
  request: BlobRequest,
  signal: AbortSignal,
): BlobSources {
  const { mover, health, floor, slowBlobs, sizes, observer, logger } = deps;
  const { digest, repository, registry } = request;
  const wholeBytes = options.wholeBytes ?? sizes.wholeBytes(digest);
  let local = request.local;
  let localVanished = false;
  let session: PeerSession | undefined;
  let sizeSaid: number | undefined;

  const openLocal = async (blob: Blob, spec: RangeSpec | undefined): Promise<OpenedBlob | undefined> => {
    const range =
      spec === undefined ? { start: 0, end: blob.sizeBytes - 1 } : resolveRange(spec, blob.sizeBytes);
    if (range === undefined) return undefined;
    try {
      const source = await mover.openFile(blob.path, range);
      const stallTimeoutMs = LOCAL_STALL_TIMEOUT_MS;
      const file = { peer: undefined, pace: undefined, stallTimeoutMs };
      return { source, range, sizeBytes: blob.sizeBytes, origin: 'local', ...file };
    } catch (error) {
      localVanished = true;
      logger.warn('blob in the store cannot be opened', { digest, path: blob.path, error });
      return undefined;
    }
  };

  /** Memory of a small blob that is being moved, by its source. */
  const held = new Map<BodySource, TakenBytes>();
  let contradicted = false;

  const path = peerPath({ kind: 'blob', repository, reference: digest, registry });
  const askPeer = async (
    host: string,
    range: RangeSpec | undefined,
    sizeBytes: number | undefined,
    isWhole: boolean,
  ): Promise<Answered | Refusal> => {
    const answer = await mover.request(
      {
        method: 'GET',
        host,
        port: options.registryPort,
        path,
        headers: peerHeaders(options, isWhole ? undefined : range),
      },
      { connectTimeoutMs: CONNECT_TIMEOUT_MS, headTimeoutMs: HEAD_TIMEOUT_MS, signal },
    );
    const { body } = answer;
    const knownSizes = sizes.sizesOf(digest);
    const expected = { digest, range: isWhole ? undefined : range, sizeBytes, knownSizes };
    const accepted = checkBlobAnswer(answer, body?.sizeBytes, expected);
    if (typeof accepted === 'string' || body === undefined) {
      body?.close();
      if (accepted === 'unsatisfiable') sizeSaid = parseUnsatisfiedRange(answer.header('content-range'));
      const refusal = typeof accepted === 'string' ? accepted : 'wrong';
      contradicted ||= refusal === 'wrong' && knownSizes !== undefined;
      return refusal;
    }
    if (accepted.sizeBytes > wholeBytes) return { ...accepted, source: body, origin: host };
    if (rangeLength(accepted.range) < accepted.sizeBytes) {
      // A part cannot be verified.
      body.close();
      return askPeer(host, range, sizeBytes, true);
    }
    const blob = await readVerified(deps, { body, digest, host }, signal);
    if (typeof blob === 'string') return blob;
    const part = range === undefined ? accepted.range : resolveRange(range, accepted.sizeBytes);
    if (part === undefined) {
      blob.release();
      sizeSaid = accepted.sizeBytes;
      return 'unsatisfiable';
    }
    const source = mover.openBytes(blob.bytes.subarray(part.start, part.end + 1));
    held.set(source, blob);
    return { source, range: part, sizeBytes: accepted.sizeBytes, origin: host };
  };

  return {
    get localVanished() {
      return localVanished;
    },
    get peers() {
      return session;
    },
    get sizeSaid() {
      return sizeSaid;
    },
    get slowSources() {
      return slowBlobs.isGivenUp(digest) ? MAX_SLOW_SOURCES : 0;
    },
    async open({ range, sizeBytes, replacing }) {
      const own = local;
      local = undefined;
      const opened = own === undefined ? undefined : await openLocal(own, range);
      if (opened !== undefined || !request.mayAskPeers || slowBlobs.isGivenUp(digest)) return opened;
      if (session === undefined) session = createPeerSession(deps, digest, signal);
      else if (replacing) session.lookAgain();
      const waitMs = replacing
        ? Math.max(REPLACEMENT_LOOKUP_TIMEOUT_MS, options.resolveTimeoutMs)
        : options.resolveTimeoutMs;
      const limits = { attempts: options.resolveRetries, waitMs, withinMs: FIRST_SOURCE_TIMEOUT_MS };
      const isSmall = sizes.sizesOf(digest)?.every((size) => size <= wholeBytes) === true;
      const accepted = await session.ask((host) => askPeer(host, range, sizeBytes, isSmall), limits);
      if (accepted === undefined) {
        // Nobody has what a manifest said: the next request is not measured by it.
        if (contradicted && !replacing) sizes.forget(digest);
        return undefined;
      }
      const { answer, peer } = accepted;
      const pace = held.has(answer.source) ? undefined : floor.watch(answer.origin);
      return { ...answer, peer, stallTimeoutMs: CONGESTED_WINDOW_MS, pace };
    },
    moved({ source, peer, origin, range, pace }, end) {
      pace?.ended(end.movedBytes);
      held.get(source)?.release();
      held.delete(source);
      observer.bytesMoved(peer === undefined ? 'local' : 'peer', end.movedBytes);
      request.onMoved?.(origin, end);
      if (end.how === 'source-broken') {
        const atByte = range.start + end.movedBytes;
        logger.warn('source broke in mid-body', {
          digest,
          source: origin,
          reason: end.reason,
          atByte,
          error: end.cause,
        });
      }
      if (peer === undefined) return;
      if (end.how === 'complete') {
        observer.peerAsked('served');
        health.succeeded(peer);
        if (end.movedBytes >= FLOOR_SAMPLE_BYTES) health.keptUp(origin);
      } else if (end.how === 'source-broken') {
        observer.peerAsked(end.reason);
        if (end.reason !== 'slow') {
          health.failed(peer);
          return;
        }
        health.wasSlow(origin);
        slowBlobs.sourceWasSlow(digest);
      }
    },
    [Symbol.dispose]() {
      for (const taken of held.values()) taken.release();
      session?.[Symbol.dispose]();
    },
  };
}
