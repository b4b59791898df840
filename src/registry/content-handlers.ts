import type { ClientResponse } from '../http/body-mover.ts';
import type { Logger } from '../observe/log.ts';
import { parseRange } from '../oci/byte-range.ts';
import { type Digest, matchesDigest } from '../oci/digest.ts';
import { type RoutablePath, routingKey } from '../oci/distribution-path.ts';
import { MAX_MANIFEST_BYTES } from '../oci/media-type.ts';
import { createDeadline } from '../runtime/deadline.ts';
import {
  type Blob,
  type ContentStore,
  type StoreCallOptions,
  StoreUnavailableError,
} from '../store/content-store.ts';
import type { SharingPolicy } from '../store/sharing-policy.ts';
import { type FetchedManifest, manifestMediaType } from '../transfer/fetch-manifest.ts';
import { blobHeaders } from '../transfer/serve-blob.ts';
import type { Transfer } from '../transfer/transfer.ts';
import type { AdmittedRequest, BlobContentRequest, ContentAnswer } from './content-request.ts';
import { followTransfer, type TransferFollowerDeps } from './follow-transfer.ts';
import { createManifestCache } from './manifest-cache.ts';
import { manifestResponse, storeUnavailable, unknownContent, unsatisfiableResponse } from './responses.ts';

/** Status in the metrics for a client that left before the head was sent (as nginx counts it). */
const CLIENT_GONE_STATUS = 499;

/**
 * containerd answers within a few ms. One that hangs must leave the rest of the 3 s that a manifest may take in all
 * to the peers.
 */
const STORE_TIMEOUT_MS = 300;

/** What the content handlers need. */
export interface ContentDeps extends TransferFollowerDeps {
  readonly store: Pick<ContentStore, 'resolve' | 'stat' | 'read'>;
  readonly policy: Pick<SharingPolicy, 'sharesDigest'>;
  readonly transfer: Transfer;
  readonly logger: Logger;
  /** Told of a key that was asked for here and is not here (any more), so that it is no longer announced. */
  readonly contentMissing: (key: string) => void;
  /** Told how a request that went to peers ended. */
  readonly mirrored: (registry: string, cache: 'hit' | 'miss') => void;
  /** Told of a body that was broken off. */
  readonly responseBroken: () => void;
  /** Told of a manifest that this node's own client was given, see createLookAhead. */
  readonly lookAhead: (manifest: FetchedManifest) => void;
}

/** Answers manifests and blobs from the store, else from peers. Throws DistributionError. */
export function createContentHandlers(deps: ContentDeps) {
  const { store, policy, transfer, logger, clock } = deps;
  const cache = createManifestCache();

  /** Undefined while containerd is away, too: peers may have it, and upstream does. Then nothing is known to be missing. */
  const orAway = async <T>(
    client: ClientResponse,
    lookup: (options: StoreCallOptions) => Promise<T | undefined>,
  ): Promise<{ value: T | undefined; away: boolean }> => {
    using deadline = createDeadline(clock, STORE_TIMEOUT_MS, client.gone);
    try {
      return { value: await lookup({ signal: deadline.signal }), away: false };
    } catch (error) {
      const late = deadline.signal.aborted && error === deadline.signal.reason;
      if (!late && !(error instanceof StoreUnavailableError)) throw error;
      logger.debug('store unavailable for a request', { error });
      return { value: undefined, away: true };
    }
  };

  const readManifest = async (
    digest: Digest,
    options: StoreCallOptions,
  ): Promise<FetchedManifest | undefined> => {
    let bytes: Uint8Array | undefined;
    try {
      bytes = await store.read(digest, MAX_MANIFEST_BYTES, options);
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
    if (bytes === undefined) return undefined;
    if (!matchesDigest(bytes, digest)) {
      logger.error('manifest in the store does not have its digest; it is not served', { digest });
      return undefined;
    }
    const mediaType = manifestMediaType(bytes, undefined);
    return mediaType === undefined ? undefined : { digest, bytes, mediaType, origin: 'local' };
  };

  const localManifest = async (
    path: RoutablePath,
    options: StoreCallOptions,
  ): Promise<FetchedManifest | undefined> => {
    const digest =
      'digest' in path ? path.digest : await store.resolve(path.registry, path.repository, path.tag, options);
    return digest !== undefined && policy.sharesDigest(digest) ? readManifest(digest, options) : undefined;
  };

  const localBlob = async (digest: Digest, options: StoreCallOptions): Promise<Blob | undefined> =>
    policy.sharesDigest(digest) ? store.stat(digest, options) : undefined;

  /** What is not here is not announced; for another node, that is the answer. */
  const notHere = (key: string, away: boolean, { forwarded, path }: AdmittedRequest): void => {
    // What a filter hides is not missing: an image that is shared may lead to it later.
    const isHidden = 'digest' in path && !policy.sharesDigest(path.digest);
    if (!away && !isHidden) deps.contentMissing(key);
    if (forwarded) throw away ? storeUnavailable() : unknownContent(path);
  };

  const mirrored = ({ registry }: RoutablePath, cached: 'hit' | 'miss') =>
    deps.mirrored(registry ?? '', cached);

  const manifest = async (request: AdmittedRequest): Promise<ContentAnswer> => {
    const { method, path, client } = request;
    const followed = followTransfer(deps, request);
    const local = await orAway(client, (options) => localManifest(path, options));
    if (local.value !== undefined) {
      if (!request.forwarded) deps.lookAhead(local.value);
      // A HEAD that is answered from the store moves nothing.
      if (method === 'GET') {
        followed.movedManifest(local.value);
        followed.ended(local.value.digest, 'served');
      }
      return { response: manifestResponse(local.value, path, method), handler: 'registry' };
    }
    const key = routingKey(path);
    notHere(key, local.away, request);
    const cached = 'digest' in path ? cache.get(path.digest) : undefined;
    const { repository, registry } = path;
    const reference = 'digest' in path ? path.digest : path.tag;
    const fetched =
      cached ?? (await transfer.fetchManifest({ key, repository, registry, reference }, client.gone));
    if (!('bytes' in fetched)) {
      if (client.gone.aborted) {
        return { response: new Response(null, { status: CLIENT_GONE_STATUS }), handler: 'mirror' };
      }
      mirrored(path, 'miss');
      followed.ended('digest' in path ? path.digest : undefined, 'missing');
      throw unknownContent(path, fetched);
    }
    mirrored(path, 'hit');
    // What was fetched for the HEAD before is no transfer of its own.
    if (cached === undefined) {
      followed.movedManifest(fetched);
      followed.ended(fetched.digest, 'served');
    }
    cache.put(fetched);
    deps.lookAhead(fetched);
    const { digest, origin } = fetched;
    logger.debug('manifest served', { key, digest, source: origin, cached: cached !== undefined });
    return { response: manifestResponse(fetched, path, method), handler: 'mirror' };
  };

  const blob = async (request: BlobContentRequest): Promise<ContentAnswer> => {
    const { method, path, rangeHeader, forwarded, client } = request;
    const { digest, repository, registry } = path;
    const followed = followTransfer(deps, request);
    const local = await orAway(client, (options) => localBlob(digest, options));
    if (local.value === undefined) notHere(digest, local.away, request);
    if (method === 'HEAD') return blobHead(request, local.value);
    const range = parseRange(rangeHeader);
    const outcome = await transfer.serveBlob(
      {
        digest,
        repository,
        registry,
        range,
        local: local.value,
        mayAskPeers: !forwarded,
        onMoved: (origin, end) => followed.moved(origin, end),
      },
      client,
    );
    const handler = local.value === undefined ? 'mirror' : 'registry';
    switch (outcome.how) {
      case 'missing':
        if (outcome.localVanished) deps.contentMissing(digest);
        if (!forwarded) {
          mirrored(path, 'miss');
          followed.ended(digest, 'missing');
        }
        throw unknownContent(path, outcome);
      case 'unsatisfiable':
        return { response: unsatisfiableResponse(outcome.sizeBytes, path), handler };
      case 'broken-off':
        deps.responseBroken();
        if (handler === 'mirror') mirrored(path, 'miss');
        logger.warn('body broken off: no source could go on', { digest, ...outcome });
        break;
      case 'served':
        if (handler === 'mirror') mirrored(path, 'hit');
        break;
      case 'client-gone':
        break;
    }
    const resumed = outcome.how === 'served' && outcome.sources > 1;
    followed.ended(digest, resumed ? 'resumed' : outcome.how);
    logger.debug('blob answered', { digest, ...outcome });
    // The head was sent with the body; this one only tells the metrics.
    const sent = range === undefined ? 200 : 206;
    return { response: new Response(null, { status: client.begun ? sent : CLIENT_GONE_STATUS }), handler };
  };

  const blobHead = async (
    { path, client }: BlobContentRequest,
    local: Blob | undefined,
  ): Promise<ContentAnswer> => {
    const { digest, registry, repository } = path;
    const found =
      local === undefined
        ? await transfer.statBlob({ digest, repository, registry }, client.gone)
        : { sizeBytes: local.sizeBytes, origin: 'local' };
    if (local === undefined) mirrored(path, 'sizeBytes' in found ? 'hit' : 'miss');
    if (!('sizeBytes' in found)) throw unknownContent(path, found);
    const headers = {
      ...blobHeaders(digest, registry),
      'content-length': String(found.sizeBytes),
      'x-spegel-source': found.origin,
    };
    return {
      response: new Response(null, { headers }),
      handler: local === undefined ? 'mirror' : 'registry',
    };
  };

  return { manifest, blob };
}
