import type { BlobVerifier } from '../integrity/blob-verifier.ts';
import type { PlainAnswer } from '../http/http-server.ts';
import type { Logger } from '../observe/log.ts';
import type { TransferFlight } from '../observe/transfer-log.ts';
import { manifestHeaders } from '../oci/content-headers.ts';
import { routingKey } from '../oci/routing-key.ts';
import type { HeldShare } from '../runtime/fair-shares.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { FetchedManifest, NotFetched } from '../transfer/fetch-manifest.ts';
import type { Transfer } from '../transfer/transfer.ts';
import {
  type AdmittedRequest,
  CLIENT_GONE_STATUS,
  type ContentAnswer,
  type Mirrored,
  statusOnly,
} from './content-request.ts';
import { enter, tryEnter } from './enter-shares.ts';
import { followTransfer, type TransferFollower, type TransferFollowerDeps } from './follow-transfer.ts';
import type { LocalLookups } from './local-lookups.ts';
import { createLocalManifests } from './local-manifests.ts';
import { createManifestCache } from './manifest-cache.ts';
import { COPIED_ANSWER_BYTES, type RegistryShares, SHORT_BODY_BYTES } from './registry-shares.ts';
import { manifestAnswer, problemAnswer, unknownContent, waitingForDownload } from './responses.ts';

/** What createManifestHandler needs. */
export interface ManifestHandlerDeps extends TransferFollowerDeps {
  readonly store: Pick<ContentStore, 'stat' | 'read'>;
  readonly verifier: Pick<BlobVerifier, 'doubt'>;
  readonly lookups: LocalLookups;
  readonly transfer: Pick<Transfer, 'awaitDownload' | 'fetchManifest' | 'nodeHeaders'>;
  readonly logger: Logger;
  readonly mirrored: Mirrored;
  /** What requests share. */
  readonly shares: Pick<RegistryShares, 'manifests'>;
  /** How many bytes of manifests are kept. */
  readonly manifestCacheBytes: number;
  /** Told of a manifest that this node's own client was given, see createLayerPrefetch. */
  readonly layerPrefetch: (manifest: FetchedManifest) => void;
}

/** For what fits into the share that the request has. */
const NO_SHARE: HeldShare = { [Symbol.dispose]() {} };

/** Answers requests for manifests from the store, else from peers. Throws DistributionError. */
export function createManifestHandler(
  deps: ManifestHandlerDeps,
): (request: AdmittedRequest) => Promise<ContentAnswer> {
  const { store, verifier, lookups, transfer, logger, clock, shares } = deps;
  const cache = createManifestCache(clock, { maxBytes: deps.manifestCacheBytes });
  const local = createLocalManifests({ store, cache, verifier, logger });

  /** The local manifest with what it holds until it is sent; undefined if it is not here. */
  const openLocal = async (request: AdmittedRequest) => {
    const { client, path } = request;
    const found = await lookups.orAway(client, async (options) => {
      const digest = await lookups.digest(path, options);
      const sizeBytes = digest === undefined ? undefined : await local.stat(digest, options);
      return digest === undefined || sizeBytes === undefined ? undefined : { digest, sizeBytes };
    });
    if (found.value === undefined) return { away: found.away, manifest: undefined };
    const { digest, sizeBytes } = found.value;
    const share =
      sizeBytes > SHORT_BODY_BYTES ? await enter(shares.manifests, sizeBytes, request) : undefined;
    try {
      const { value, away } = await lookups.orAway(client, (options) => local.read(digest, options));
      const release = () => share?.[Symbol.dispose]();
      if (value !== undefined) return { away, manifest: { value, [Symbol.dispose]: release } };
      release();
      return { away, manifest: undefined };
    } catch (error) {
      share?.[Symbol.dispose]();
      throw error;
    }
  };

  /** From peers, or as they gave it a moment ago, with room for its bytes: `held` has that until it is disposed. */
  const fetchFromPeers = async (
    request: AdmittedRequest,
    {
      held,
      followed,
    }: { readonly held: { share: HeldShare | undefined }; readonly followed: TransferFollower },
  ): Promise<{ readonly fetched: FetchedManifest | NotFetched; readonly isCached: boolean }> => {
    const { path, client } = request;
    const cached = 'digest' in path ? cache.get(path.digest) : undefined;
    const { repository, registry } = path;
    const reference = 'digest' in path ? path.digest : path.tag;
    // Enough for most; what turns out to be larger gets another share before it is read.
    held.share = await enter(shares.manifests, cached?.bytes.length ?? SHORT_BODY_BYTES, request);
    if (cached !== undefined) return { fetched: cached, isCached: true };
    // Several peers may be asked at a time. What waits for a larger share holds no other.
    const admit = async (sizeBytes: number): Promise<HeldShare | undefined> => {
      if (sizeBytes <= SHORT_BODY_BYTES) return NO_SHARE;
      held.share?.[Symbol.dispose]();
      return tryEnter(shares.manifests, sizeBytes, request);
    };
    const isOwn = !request.forwarded && request.favoured;
    const onFlight = (flight: TransferFlight) => followed.flew(flight);
    const asked = { key: routingKey(path), repository, registry, reference, isOwn, onFlight, admit };
    const given = await transfer.fetchManifest(asked, client);
    if (!('bytes' in given)) return { fetched: given, isCached: false };
    const { room, ...fetched } = given;
    // It gives back what it holds when that is disposed; harmless for one that is given back already.
    const first = held.share;
    held.share = {
      [Symbol.dispose]() {
        first[Symbol.dispose]();
        room?.[Symbol.dispose]();
      },
    };
    return { fetched, isCached: false };
  };

  const answerFromPeers = async (
    request: AdmittedRequest,
    followed: TransferFollower,
  ): Promise<ContentAnswer> => {
    const { path, client } = request;
    using held = {
      share: undefined as HeldShare | undefined,
      [Symbol.dispose]() {
        this.share?.[Symbol.dispose]();
      },
    };
    const { fetched, isCached } = await fetchFromPeers(request, { held, followed });
    if (!('bytes' in fetched)) {
      if (client.gone.aborted) {
        return { response: statusOnly(CLIENT_GONE_STATUS), handler: 'mirror' };
      }
      deps.mirrored(path.registry ?? '', 'miss');
      followed.ended('digest' in path ? path.digest : undefined, 'missing', fetched.reason);
      return { response: problemAnswer(unknownContent(path, fetched)), handler: 'registry' };
    }
    deps.mirrored(path.registry ?? '', 'hit');
    if (!isCached) {
      // What was fetched for the HEAD before is no transfer of its own.
      followed.movedManifest(fetched);
      followed.ended(fetched.digest, 'served');
      // Once: what is asked for again must not be kept for longer.
      cache.put(fetched);
    }
    deps.layerPrefetch(fetched);
    const { digest, origin } = fetched;
    const { flight } = followed;
    if (logger.writesDebug) {
      const key = routingKey(path);
      logger.debug('manifest served', { key, digest, source: origin, cached: isCached, flight });
    }
    return { response: await sendManifest(fetched, request), handler: 'mirror' };
  };

  const answer = async (request: AdmittedRequest, followed: TransferFollower): Promise<ContentAnswer> => {
    const { method, path } = request;
    let opened = await openLocal(request);
    const mayWait =
      request.forwarded && request.isFlight && 'digest' in path && lookups.isShared(path.digest);
    if (opened.manifest === undefined && mayWait) {
      const download = await transfer.awaitDownload(path.digest, request.client.gone);
      if (download === 'waiting') return { response: waitingForDownload(download), handler: 'registry' };
      opened = await openLocal(request);
    }
    if (opened.manifest === undefined) {
      // No node has a manifest of that digest.
      const isOther = 'digest' in path && local.isOther(path.digest);
      const problem = isOther
        ? unknownContent(path)
        : lookups.notHere(routingKey(path), opened.away, request);
      if (problem !== undefined) return { response: problemAnswer(problem), handler: 'registry' };
      return answerFromPeers(request, followed);
    }
    using here = opened.manifest;
    const { value } = here;
    if (!request.forwarded) deps.layerPrefetch(value);
    // A HEAD that is answered from the store moves nothing.
    if (method === 'GET') {
      followed.movedManifest(value);
      followed.ended(value.digest, 'served');
    }
    const more = request.forwarded ? transfer.nodeHeaders() : undefined;
    return { response: await sendManifest(value, request, more), handler: 'registry' };
  };

  return async (request) => {
    const followed = followTransfer(deps, request);
    try {
      return await answer(request, followed);
    } catch (error) {
      followed.failed(error);
      throw error;
    }
  };
}

/** Small manifests are the answer itself; larger ones are moved, never faster than the client reads, from the bytes that all share. */
async function sendManifest(
  found: FetchedManifest,
  { path, method, client }: AdmittedRequest,
  more?: Readonly<Record<string, string>>,
): Promise<PlainAnswer> {
  const { bytes } = found;
  if (method === 'HEAD' || bytes.length <= COPIED_ANSWER_BYTES) {
    return manifestAnswer(found, path, method, more);
  }
  const headers = { ...manifestHeaders({ ...found, registry: path.registry }), ...more };
  client.begin({ status: 200, headers, contentLength: bytes.length });
  await client.moveBytes(bytes);
  return statusOnly(200);
}
