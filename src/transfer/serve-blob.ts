import type { BodySource, BodyMover, ClientResponse } from '../http/body-mover.ts';
import {
  type ByteRange,
  formatContentRange,
  type RangeSpec,
  rangeLength,
  resolveRange,
} from '../oci/byte-range.ts';
import type { Digest } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { Blob } from '../store/content-store.ts';
import {
  CONNECT_TIMEOUT_MS,
  HEAD_TIMEOUT_MS,
  LOCAL_STALL_TIMEOUT_MS,
  REPLACEMENT_LOOKUP_TIMEOUT_MS,
  STALL_TIMEOUT_MS,
} from './budgets.ts';
import { checkBlobAnswer, peerHeaders, peerPath } from './peer-requests.ts';
import { createPeerSession, type PeerSession, type PeerSessionDeps } from './peer-session.ts';

/** What serveBlob needs. */
export interface ServeBlobDeps extends PeerSessionDeps {
  readonly mover: Pick<BodyMover, 'openFile' | 'request'>;
}

/** Options that have a flag. */
export interface TransferOptions {
  /** Every node's registry listens on this port. */
  readonly registryPort: number;
  /** Longest wait for a peer to be found, while none is being asked, in ms (--mirror-resolve-timeout). */
  readonly resolveTimeoutMs: number;
  /** Most peers to ask before giving up (--mirror-resolve-retries). */
  readonly resolveRetries: number;
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
}

/** How a blob request ended. Only after `missing` and `unsatisfiable` has nothing been sent yet. */
export type BlobOutcome =
  | {
      readonly how: 'served';
      readonly source: 'local' | 'peer';
      readonly movedBytes: number;
      readonly sources: number;
    }
  | {
      readonly how: 'broken-off';
      readonly movedBytes: number;
      readonly owedBytes: number;
      readonly sources: number;
    }
  | { readonly how: 'client-gone'; readonly movedBytes: number; readonly sources: number }
  | { readonly how: 'unsatisfiable'; readonly sizeBytes: number | undefined }
  | {
      readonly how: 'missing';
      readonly localVanished: boolean;
      readonly attempts: number;
      readonly skipped: number;
    };

interface OpenedBlob {
  readonly source: BodySource;
  readonly range: ByteRange;
  readonly sizeBytes: number;
  /** A peer's ID, or undefined for this node's own file. */
  readonly peerId: string | undefined;
  readonly origin: string;
}

/**
 * Serves a blob from the store, else from peers. The head goes out once, with the first source that is accepted.
 * A source that breaks is replaced at the byte where it broke; when nobody can go on, the response is broken off,
 * short, so that containerd asks for the rest.
 */
export async function serveBlob(
  deps: ServeBlobDeps,
  options: TransferOptions,
  request: BlobRequest,
  client: ClientResponse,
): Promise<BlobOutcome> {
  const { digest, registry } = request;
  const wanted = request.local === undefined ? undefined : resolve(request.range, request.local.sizeBytes);
  if (wanted === 'unsatisfiable') return { how: 'unsatisfiable', sizeBytes: request.local?.sizeBytes };

  let opened = await openLocal(deps, request, wanted);
  const localVanished = request.local !== undefined && opened === undefined;
  let session: PeerSession | undefined;
  let sizeBytes: number | undefined;
  let total: ByteRange | undefined;
  let sources = 0;
  try {
    for (;;) {
      if (opened === undefined && request.mayAskPeers) {
        const replacing = total !== undefined;
        if (session === undefined) session = createPeerSession(deps, digest, client.gone);
        else if (replacing) session.lookAgain();
        const rest =
          total === undefined ? request.range : { start: total.start + client.movedBytes, end: total.end };
        opened = await openAtPeer(deps, options, request, session, { range: rest, sizeBytes, replacing });
      }
      if (opened === undefined) break;
      sources++;
      sizeBytes = opened.sizeBytes;
      if (total === undefined) {
        total = opened.range;
        client.begin({
          status: request.range === undefined ? 200 : 206,
          headers: {
            ...blobHeaders(digest, registry),
            'x-spegel-source': opened.origin,
            ...(request.range === undefined ? {} : { 'content-range': formatContentRange(total, sizeBytes) }),
          },
          contentLength: rangeLength(total),
        });
      }
      const { peerId, source } = opened;
      const end = await client.move(source, {
        stallTimeoutMs: peerId === undefined ? LOCAL_STALL_TIMEOUT_MS : STALL_TIMEOUT_MS,
        signal: client.gone,
      });
      deps.observer.bytesMoved(peerId === undefined ? 'local' : 'peer', end.movedBytes);
      if (end.how === 'complete') {
        if (peerId !== undefined) {
          deps.observer.peerAsked('served');
          deps.health.succeeded(peerId);
        }
        return {
          how: 'served',
          source: peerId === undefined ? 'local' : 'peer',
          movedBytes: client.movedBytes,
          sources,
        };
      }
      if (end.how !== 'source-broken') return { how: 'client-gone', movedBytes: client.movedBytes, sources };
      if (peerId !== undefined) {
        deps.observer.peerAsked(end.reason);
        deps.health.failed(peerId);
      }
      deps.logger.warn('source broke in mid-body', {
        digest,
        source: opened.origin,
        reason: end.reason,
        atByte: total.start + client.movedBytes,
        error: end.cause,
      });
      opened = undefined;
    }
    if (total !== undefined) {
      client.breakOff();
      const owedBytes = rangeLength(total) - client.movedBytes;
      return { how: 'broken-off', movedBytes: client.movedBytes, owedBytes, sources };
    }
    if (client.gone.aborted) return { how: 'client-gone', movedBytes: 0, sources };
    if (session?.refusals.has('unsatisfiable') === true) {
      return { how: 'unsatisfiable', sizeBytes: undefined };
    }
    return {
      how: 'missing',
      localVanished,
      attempts: session?.attempts ?? 0,
      skipped: session?.skipped ?? 0,
    };
  } finally {
    session?.[Symbol.dispose]();
  }
}

/** Headers that every answer about a blob has, HEAD included. */
export function blobHeaders(digest: Digest, registry: string | undefined): Record<string, string> {
  return {
    'content-type': MEDIA_TYPE.octetStream,
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    ...(registry === undefined ? {} : { 'oci-namespace': registry }),
  };
}

function resolve(spec: RangeSpec | undefined, sizeBytes: number): ByteRange | 'unsatisfiable' {
  if (spec === undefined) return { start: 0, end: sizeBytes - 1 };
  return resolveRange(spec, sizeBytes) ?? 'unsatisfiable';
}

async function openLocal(
  { mover, logger }: ServeBlobDeps,
  { local, digest }: BlobRequest,
  range: ByteRange | undefined,
): Promise<OpenedBlob | undefined> {
  if (local === undefined || range === undefined) return undefined;
  try {
    const source = await mover.openFile(local.path, range);
    return { source, range, sizeBytes: local.sizeBytes, peerId: undefined, origin: 'local' };
  } catch (error) {
    logger.warn('blob in the store cannot be opened', { digest, path: local.path, error });
    return undefined;
  }
}

async function openAtPeer(
  deps: ServeBlobDeps,
  options: TransferOptions,
  { digest, repository, registry }: BlobRequest,
  session: PeerSession,
  rest: {
    readonly range: RangeSpec | undefined;
    readonly sizeBytes: number | undefined;
    readonly replacing: boolean;
  },
): Promise<OpenedBlob | undefined> {
  const path = peerPath({ kind: 'blob', repository, reference: digest, registry });
  const accepted = await session.ask(
    async (host) => {
      const answer = await deps.mover.request(
        { method: 'GET', host, port: options.registryPort, path, headers: peerHeaders(rest.range) },
        { connectTimeoutMs: CONNECT_TIMEOUT_MS, headTimeoutMs: HEAD_TIMEOUT_MS, signal: session.signal },
      );
      const { body } = answer;
      const checked = checkBlobAnswer(
        { status: answer.status, header: (name) => answer.header(name), contentLength: body?.sizeBytes },
        { digest, range: rest.range, sizeBytes: rest.sizeBytes },
      );
      if (typeof checked === 'string' || body === undefined) {
        body?.close();
        return typeof checked === 'string' ? checked : 'wrong';
      }
      return { ...checked, source: body, origin: host };
    },
    {
      attempts: options.resolveRetries,
      waitMs: rest.replacing
        ? Math.max(REPLACEMENT_LOOKUP_TIMEOUT_MS, options.resolveTimeoutMs)
        : options.resolveTimeoutMs,
    },
  );
  return accepted === undefined ? undefined : { ...accepted.answer, peerId: accepted.peer.id };
}
