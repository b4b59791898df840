import type { BodyMover, BodySource, MoveEnd } from '../http/body-mover.ts';
import { type ByteRange, parseUnsatisfiedRange, type RangeSpec, resolveRange } from '../oci/byte-range.ts';
import type { Digest } from '../oci/digest.ts';
import type { Peer } from '../routing/router.ts';
import type { Blob } from '../store/content-store.ts';
import {
  CONNECT_TIMEOUT_MS,
  FIRST_SOURCE_TIMEOUT_MS,
  HEAD_TIMEOUT_MS,
  LOCAL_STALL_TIMEOUT_MS,
  REPLACEMENT_LOOKUP_TIMEOUT_MS,
  STALL_TIMEOUT_MS,
} from './budgets.ts';
import { checkBlobAnswer, peerHeaders, peerPath } from './peer-requests.ts';
import { createPeerSession, type PeerSession, type PeerSessionDeps } from './peer-session.ts';

/** What opening sources needs. */
export interface BlobSourcesDeps extends PeerSessionDeps {
  readonly mover: Pick<BodyMover, 'openFile' | 'request'>;
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
}

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
  const { mover, health, observer, logger } = deps;
  const { digest, repository, registry } = request;
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
      return { source, range, sizeBytes: blob.sizeBytes, origin: 'local', peer: undefined, stallTimeoutMs };
    } catch (error) {
      localVanished = true;
      logger.warn('blob in the store cannot be opened', { digest, path: blob.path, error });
      return undefined;
    }
  };

  const path = peerPath({ kind: 'blob', repository, reference: digest, registry });
  const askPeer = async (host: string, range: RangeSpec | undefined, sizeBytes: number | undefined) => {
    const answer = await mover.request(
      { method: 'GET', host, port: options.registryPort, path, headers: peerHeaders(options, range) },
      { connectTimeoutMs: CONNECT_TIMEOUT_MS, headTimeoutMs: HEAD_TIMEOUT_MS, signal },
    );
    const { body } = answer;
    const accepted = checkBlobAnswer(answer, body?.sizeBytes, { digest, range, sizeBytes });
    if (typeof accepted !== 'string' && body !== undefined) {
      return { ...accepted, source: body, origin: host };
    }
    body?.close();
    if (accepted === 'unsatisfiable') sizeSaid = parseUnsatisfiedRange(answer.header('content-range'));
    return typeof accepted === 'string' ? accepted : 'wrong';
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
    async open({ range, sizeBytes, replacing }) {
      const own = local;
      local = undefined;
      const opened = own === undefined ? undefined : await openLocal(own, range);
      if (opened !== undefined || !request.mayAskPeers) return opened;
      if (session === undefined) session = createPeerSession(deps, digest, signal);
      else if (replacing) session.lookAgain();
      const waitMs = replacing
        ? Math.max(REPLACEMENT_LOOKUP_TIMEOUT_MS, options.resolveTimeoutMs)
        : options.resolveTimeoutMs;
      const limits = { attempts: options.resolveRetries, waitMs, withinMs: FIRST_SOURCE_TIMEOUT_MS };
      const accepted = await session.ask((host) => askPeer(host, range, sizeBytes), limits);
      if (accepted === undefined) return undefined;
      return { ...accepted.answer, peer: accepted.peer, stallTimeoutMs: STALL_TIMEOUT_MS };
    },
    moved({ peer, origin, range }, end) {
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
      } else if (end.how === 'source-broken') {
        observer.peerAsked(end.reason);
        health.failed(peer);
      }
    },
    [Symbol.dispose]() {
      session?.[Symbol.dispose]();
    },
  };
}
