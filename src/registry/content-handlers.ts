import type { ClientResponse } from '../http/body-mover.ts';
import type { Logger } from '../observe/log.ts';
import { formatUnsatisfiedRange, parseRange } from '../oci/byte-range.ts';
import { type Digest, matchesDigest } from '../oci/digest.ts';
import { DistributionError } from '../oci/distribution-error.ts';
import { type DistributionPath, routingKey } from '../oci/distribution-path.ts';
import { MAX_MANIFEST_BYTES } from '../oci/media-type.ts';
import { type Blob, type ContentStore, StoreUnavailableError } from '../store/content-store.ts';
import { type FetchedManifest, manifestMediaType } from '../transfer/fetch-manifest.ts';
import type { Transfer } from '../transfer/transfer.ts';
import { blobHeaders } from '../transfer/serve-blob.ts';
import { createManifestCache } from './manifest-cache.ts';

/** Status in the metrics for a client that left before the head was sent (as nginx counts it). */
const CLIENT_GONE_STATUS = 499;

/** What the content handlers need. */
export interface ContentDeps {
  readonly store: Pick<ContentStore, 'resolve' | 'stat' | 'read'>;
  readonly transfer: Transfer;
  readonly logger: Logger;
  /** Told of a key that was asked for here and is not here (any more), so that it is no longer announced. */
  readonly contentMissing: (key: string) => void;
  /** Told how a request that went to peers ended. */
  readonly mirrored: (registry: string, cache: 'hit' | 'miss') => void;
  /** Told of a body that was broken off. */
  readonly responseBroken: () => void;
}

/** One pull request. */
export interface ContentRequest {
  readonly method: 'GET' | 'HEAD';
  readonly path: DistributionPath;
  readonly rangeHeader: string | undefined;
  /** Another node forwarded it: only this node's store counts. */
  readonly forwarded: boolean;
  readonly client: ClientResponse;
}

/** The answer, and which of the two ways it took (the `handler` label of the HTTP metrics). */
export interface ContentAnswer {
  readonly response: Response;
  readonly handler: 'registry' | 'mirror';
}

/** Answers manifests and blobs from the store, else from peers. Throws DistributionError. */
export function createContentHandlers(deps: ContentDeps) {
  const { store, transfer, logger } = deps;
  const cache = createManifestCache();

  /** Undefined while containerd is away, too: peers may have it, and upstream does. Then nothing is known to be missing. */
  const orAway = async <T>(
    lookup: Promise<T | undefined>,
  ): Promise<{ value: T | undefined; away: boolean }> => {
    try {
      return { value: await lookup, away: false };
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      logger.debug('store unavailable for a request', { error });
      return { value: undefined, away: true };
    }
  };

  const readManifest = async (digest: Digest): Promise<FetchedManifest | undefined> => {
    let bytes: Uint8Array | undefined;
    try {
      bytes = await store.read(digest, MAX_MANIFEST_BYTES);
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

  const localManifest = async (path: DistributionPath): Promise<FetchedManifest | undefined> => {
    const digest =
      'digest' in path ? path.digest : await store.resolve(path.registry, path.repository, path.tag);
    return digest === undefined ? undefined : readManifest(digest);
  };

  const manifest = async ({ method, path, forwarded, client }: ContentRequest): Promise<ContentAnswer> => {
    const local = await orAway(localManifest(path));
    if (local.value !== undefined) {
      return { response: manifestResponse(local.value, path, method), handler: 'registry' };
    }
    const key = routingKey(path);
    if (!local.away) deps.contentMissing(key);
    if (forwarded) throw local.away ? unavailable() : unknown('manifest', path, {});
    const cached = 'digest' in path ? cache.get(path.digest) : undefined;
    const fetched =
      cached ??
      (await transfer.fetchManifest(
        {
          key,
          repository: path.repository,
          registry: path.registry,
          reference: 'digest' in path ? path.digest : path.tag,
        },
        client.gone,
      ));
    if (!('bytes' in fetched)) {
      deps.mirrored(path.registry ?? '', 'miss');
      throw unknown('manifest', path, fetched);
    }
    deps.mirrored(path.registry ?? '', 'hit');
    cache.put(fetched);
    logger.debug('manifest served', {
      key,
      digest: fetched.digest,
      source: fetched.origin,
      cached: cached !== undefined,
    });
    return { response: manifestResponse(fetched, path, method), handler: 'mirror' };
  };

  const blob = async (
    request: ContentRequest & { readonly path: { readonly digest: Digest } },
  ): Promise<ContentAnswer> => {
    const { method, path, rangeHeader, forwarded, client } = request;
    const { digest, repository, registry } = path;
    const local = await orAway(store.stat(digest));
    if (local.value === undefined) {
      if (!local.away) deps.contentMissing(digest);
      if (forwarded) throw local.away ? unavailable() : unknown('blob', path, {});
    }
    if (method === 'HEAD') return blobHead(path, local.value, client);
    const outcome = await transfer.serveBlob(
      {
        digest,
        repository,
        registry,
        range: parseRange(rangeHeader),
        local: local.value,
        mayAskPeers: !forwarded,
      },
      client,
    );
    const handler = local.value === undefined ? 'mirror' : 'registry';
    if (outcome.how === 'missing') {
      if (outcome.localVanished) deps.contentMissing(digest);
      if (!forwarded) deps.mirrored(registry ?? '', 'miss');
      throw unknown('blob', path, outcome);
    }
    if (outcome.how === 'unsatisfiable') return { response: unsatisfiable(outcome.sizeBytes, path), handler };
    if (outcome.how === 'broken-off') {
      deps.responseBroken();
      logger.warn('body broken off: no source could go on', { digest, ...outcome });
    }
    if (handler === 'mirror' && outcome.how !== 'client-gone') {
      deps.mirrored(registry ?? '', outcome.how === 'served' ? 'hit' : 'miss');
    }
    logger.debug('blob answered', { digest, ...outcome });
    // The head was sent with the body; this one only tells the metrics.
    const sent = parseRange(rangeHeader) === undefined ? 200 : 206;
    return { response: new Response(null, { status: client.begun ? sent : CLIENT_GONE_STATUS }), handler };
  };

  const blobHead = async (
    path: DistributionPath & { readonly digest: Digest },
    local: Blob | undefined,
    client: ClientResponse,
  ): Promise<ContentAnswer> => {
    const { digest, registry, repository } = path;
    const found =
      local === undefined
        ? await transfer.statBlob({ digest, repository, registry }, client.gone)
        : { sizeBytes: local.sizeBytes, origin: 'local' };
    if (local === undefined) deps.mirrored(registry ?? '', 'sizeBytes' in found ? 'hit' : 'miss');
    if (!('sizeBytes' in found)) throw unknown('blob', path, found);
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

function manifestResponse(
  manifest: FetchedManifest,
  path: DistributionPath,
  method: 'GET' | 'HEAD',
): Response {
  return new Response(method === 'HEAD' ? null : manifest.bytes.slice(), {
    headers: {
      'content-type': manifest.mediaType,
      'content-length': String(manifest.bytes.byteLength),
      'docker-content-digest': manifest.digest,
      ...(path.registry === undefined ? {} : { 'oci-namespace': path.registry }),
      'x-spegel-source': manifest.origin,
    },
  });
}

function unknown(
  kind: 'manifest' | 'blob',
  path: DistributionPath,
  why: { readonly attempts?: number; readonly skipped?: number },
): DistributionError {
  const code = kind === 'manifest' ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN';
  const { attempts, skipped } = why;
  const reason =
    attempts === undefined
      ? 'this node does not have it'
      : attempts > 0
        ? 'no peer that was asked could serve it'
        : 'no peer has it';
  return new DistributionError(404, code, `${routingKey(path)}: ${reason}`, {
    ...(attempts === undefined ? {} : { attempts }),
    ...(skipped === undefined ? {} : { skipped }),
  });
}

function unavailable(): DistributionError {
  return new DistributionError(503, 'UNAVAILABLE', 'containerd does not answer on this node; try another');
}

function unsatisfiable(sizeBytes: number | undefined, path: DistributionPath): Response {
  return new Response(null, {
    status: 416,
    headers: {
      ...(sizeBytes === undefined ? {} : { 'content-range': formatUnsatisfiedRange(sizeBytes) }),
      ...(path.registry === undefined ? {} : { 'oci-namespace': path.registry }),
      'content-length': '0',
    },
  });
}
