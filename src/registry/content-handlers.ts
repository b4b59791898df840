import type { ClientResponse } from '../http/body-mover.ts';
import type { Logger } from '../observe/log.ts';
import { parseRange } from '../oci/byte-range.ts';
import { blobHeaders, manifestHeaders } from '../oci/content-headers.ts';
import type { Digest } from '../oci/digest.ts';
import type { RoutablePath } from '../oci/distribution-path.ts';
import { routingKey } from '../oci/routing-key.ts';
import { addressShare } from '../runtime/address-share.ts';
import { createDeadline } from '../runtime/deadline.ts';
import type { FairShares, HeldShare } from '../runtime/fair-shares.ts';
import {
  type Blob,
  type ContentStore,
  type StoreCallOptions,
  StoreUnavailableError,
} from '../store/content-store.ts';
import type { SharingPolicy } from '../store/sharing-policy.ts';
import type { FetchedManifest } from '../transfer/fetch-manifest.ts';
import type { Transfer } from '../transfer/transfer.ts';
import type { AdmittedRequest, BlobContentRequest, ContentAnswer } from './content-request.ts';
import { followTransfer, type TransferFollowerDeps } from './follow-transfer.ts';
import { createLocalManifests } from './local-manifests.ts';
import { createManifestCache } from './manifest-cache.ts';
import {
  COPIED_ANSWER_BYTES,
  FILE_BODY_BYTES,
  PEER_BODY_BYTES,
  type RegistryShares,
  SHORT_BODY_BYTES,
} from './registry-shares.ts';
import {
  manifestResponse,
  overloaded,
  storeUnavailable,
  unknownContent,
  unsatisfiableResponse,
} from './responses.ts';

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
  /** What requests share. */
  readonly shares: Pick<RegistryShares, 'bodies' | 'manifests'>;
  /** How many bytes of manifests are kept. */
  readonly manifestCacheBytes: number;
  /** Told of a manifest that this node's own client was given, see createLayerPrefetch. */
  readonly layerPrefetch: (manifest: FetchedManifest) => void;
}

/** Answers manifests and blobs from the store, else from peers. Throws DistributionError. */
export function createContentHandlers(deps: ContentDeps) {
  const { store, policy, transfer, logger, clock, shares } = deps;
  const cache = createManifestCache(clock, { maxBytes: deps.manifestCacheBytes });
  const local = createLocalManifests({ store, cache, logger });

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

  /** Undefined if there is no share in time. */
  const tryEnter = async (shares: FairShares, weight: number, { client, favoured }: AdmittedRequest) =>
    shares.enter({
      key: addressShare(client.remoteAddress),
      weight,
      favoured,
      signal: client.gone,
      stalledMs: () => client.stalledMs,
      evict: () => client.breakOff(),
    });
  /** Throws 503 if there is no share in time. */
  const enter = async (shares: FairShares, weight: number, request: AdmittedRequest): Promise<HeldShare> => {
    const share = await tryEnter(shares, weight, request);
    if (share === undefined) throw overloaded();
    return share;
  };

  const localDigest = async (path: RoutablePath, options: StoreCallOptions): Promise<Digest | undefined> => {
    const digest =
      'digest' in path ? path.digest : await store.resolve(path.registry, path.repository, path.tag, options);
    return digest !== undefined && policy.sharesDigest(digest) ? digest : undefined;
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

  /** The local manifest with what it holds until it is sent; undefined if it is not here. */
  const openLocalManifest = async (request: AdmittedRequest) => {
    const { client, path } = request;
    const found = await orAway(client, async (options) => {
      const digest = await localDigest(path, options);
      const sizeBytes = digest === undefined ? undefined : await local.stat(digest, options);
      return digest === undefined || sizeBytes === undefined ? undefined : { digest, sizeBytes };
    });
    if (found.value === undefined) return { away: found.away, manifest: undefined };
    const { digest, sizeBytes } = found.value;
    const share =
      sizeBytes > SHORT_BODY_BYTES ? await enter(shares.manifests, sizeBytes, request) : undefined;
    try {
      const { value, away } = await orAway(client, (options) => local.read(digest, options));
      const release = () => share?.[Symbol.dispose]();
      if (value !== undefined) return { away, manifest: { value, [Symbol.dispose]: release } };
      release();
      return { away, manifest: undefined };
    } catch (error) {
      share?.[Symbol.dispose]();
      throw error;
    }
  };

  /** Small manifests are a Response; larger ones are moved, never faster than the client reads, from the bytes that all share. */
  const sendManifest = async (
    found: FetchedManifest,
    { path, method, client }: AdmittedRequest,
  ): Promise<Response> => {
    const { bytes } = found;
    if (method === 'HEAD' || bytes.length <= COPIED_ANSWER_BYTES) {
      return manifestResponse(found, path, method);
    }
    client.begin({
      status: 200,
      headers: manifestHeaders({ ...found, registry: path.registry }),
      contentLength: bytes.length,
    });
    await client.moveBytes(bytes);
    return new Response(null);
  };

  const manifest = async (request: AdmittedRequest): Promise<ContentAnswer> => {
    const { method, path, client } = request;
    const followed = followTransfer(deps, request);
    const opened = await openLocalManifest(request);
    if (opened.manifest !== undefined) {
      using here = opened.manifest;
      const { value } = here;
      if (!request.forwarded) deps.layerPrefetch(value);
      // A HEAD that is answered from the store moves nothing.
      if (method === 'GET') {
        followed.movedManifest(value);
        followed.ended(value.digest, 'served');
      }
      return { response: await sendManifest(value, request), handler: 'registry' };
    }
    // No node has a manifest of that digest.
    if ('digest' in path && local.isOther(path.digest)) throw unknownContent(path);
    const key = routingKey(path);
    notHere(key, opened.away, request);
    const cached = 'digest' in path ? cache.get(path.digest) : undefined;
    const { repository, registry } = path;
    const reference = 'digest' in path ? path.digest : path.tag;
    // Enough for most; what turns out to be larger gets another share before it is read.
    const held: { share: HeldShare | undefined } & Disposable = {
      share: await enter(shares.manifests, cached?.bytes.length ?? SHORT_BODY_BYTES, request),
      [Symbol.dispose]() {
        this.share?.[Symbol.dispose]();
      },
    };
    using _held = held;
    const admit = async (sizeBytes: number): Promise<boolean> => {
      if (sizeBytes <= SHORT_BODY_BYTES) return true;
      held.share?.[Symbol.dispose]();
      held.share = await tryEnter(shares.manifests, sizeBytes, request);
      return held.share !== undefined;
    };
    const fetched =
      cached ?? (await transfer.fetchManifest({ key, repository, registry, reference, admit }, client.gone));
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
    // Once: what is asked for again must not be kept for longer.
    if (cached === undefined) cache.put(fetched);
    deps.layerPrefetch(fetched);
    const { digest, origin } = fetched;
    logger.debug('manifest served', { key, digest, source: origin, cached: cached !== undefined });
    return { response: await sendManifest(fetched, request), handler: 'mirror' };
  };

  const blob = async (request: BlobContentRequest): Promise<ContentAnswer> => {
    const { method, path, rangeHeader, forwarded, client } = request;
    const { digest, repository, registry } = path;
    const followed = followTransfer(deps, request);
    const here = await orAway(client, (options) => localBlob(digest, options));
    if (here.value === undefined) notHere(digest, here.away, request);
    if (method === 'HEAD') return blobHead(request, here.value);
    const range = parseRange(rangeHeader);
    // Short answers from the disk are not behind long ones.
    const isShort = here.value !== undefined && here.value.sizeBytes <= SHORT_BODY_BYTES;
    const weight = here.value === undefined ? PEER_BODY_BYTES : FILE_BODY_BYTES;
    using _share = isShort ? undefined : await enter(shares.bodies, weight, request);
    const outcome = await transfer.serveBlob(
      {
        digest,
        repository,
        registry,
        range,
        local: here.value,
        mayAskPeers: !forwarded,
        onMoved: (origin, end) => followed.moved(origin, end),
      },
      client,
    );
    const handler = here.value === undefined ? 'mirror' : 'registry';
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
      ...blobHeaders({ digest, registry, origin: found.origin }),
      'content-length': String(found.sizeBytes),
    };
    return {
      response: new Response(null, { headers }),
      handler: local === undefined ? 'mirror' : 'registry',
    };
  };

  return { manifest, blob };
}
