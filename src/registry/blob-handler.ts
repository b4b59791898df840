import type { BlobVerifier } from '../integrity/blob-verifier.ts';
import type { Logger } from '../observe/log.ts';
import { parseRange } from '../oci/byte-range.ts';
import { blobHeaders } from '../oci/content-headers.ts';
import type { Blob } from '../store/content-store.ts';
import type { BlobOutcome } from '../transfer/serve-blob.ts';
import type { Transfer } from '../transfer/transfer.ts';
import {
  type BlobContentRequest,
  CLIENT_GONE_STATUS,
  type ContentAnswer,
  type Mirrored,
  statusOnly,
} from './content-request.ts';
import { enter, enterNow } from './enter-shares.ts';
import { followTransfer, type TransferFollower, type TransferFollowerDeps } from './follow-transfer.ts';
import type { LocalLookups } from './local-lookups.ts';
import {
  COPIED_ANSWER_BYTES,
  FILE_BODY_BYTES,
  PEER_BODY_BYTES,
  type RegistryShares,
  SHORT_BODY_BYTES,
} from './registry-shares.ts';
import {
  givenUpDownload,
  problemAnswer,
  overloaded,
  shortBlobAnswer,
  unknownContent,
  unsatisfiableAnswer,
  waitingForDownload,
} from './responses.ts';
import type { Uploads } from './uploads.ts';

/** What createBlobHandler needs. */
export interface BlobHandlerDeps extends TransferFollowerDeps {
  readonly lookups: LocalLookups;
  readonly transfer: Pick<
    Transfer,
    'answeredHere' | 'knownMiss' | 'nodeHeaders' | 'serveBlob' | 'serveDownload' | 'statBlob'
  >;
  readonly logger: Logger;
  readonly verifier: Pick<BlobVerifier, 'doubt' | 'mayServe'>;
  /** Told of a digest whose file has vanished from the store. */
  readonly contentMissing: (key: string) => void;
  readonly mirrored: Mirrored;
  /** Told of a body that was broken off. */
  readonly responseBroken: () => void;
  /** What requests share. */
  readonly shares: Pick<RegistryShares, 'bodies'>;
  /** What goes to other machines; undefined: there is no cap. */
  readonly uploads?: Pick<Uploads, 'begin'> | undefined;
  /** Told of a body that a cap on uploads has refused. */
  readonly uploadRefused: () => void;
}

/** Answers requests for blobs from the store, else from peers. Throws DistributionError. */
export function createBlobHandler(
  deps: BlobHandlerDeps,
): (request: BlobContentRequest) => Promise<ContentAnswer> {
  const { lookups, transfer, verifier, logger, shares } = deps;

  const answerHead = async (
    { path, client, forwarded }: BlobContentRequest,
    local: Blob | undefined,
  ): Promise<ContentAnswer> => {
    const { digest, registry, repository } = path;
    const found =
      local === undefined
        ? await transfer.statBlob({ digest, repository, registry }, client)
        : { sizeBytes: local.sizeBytes, origin: 'local' };
    if (local === undefined) deps.mirrored(registry ?? '', 'sizeBytes' in found ? 'hit' : 'miss');
    if (!('sizeBytes' in found)) {
      return { response: problemAnswer(unknownContent(path, found)), handler: 'registry' };
    }
    const headers = {
      ...blobHeaders({ digest, registry, origin: found.origin }),
      ...(forwarded ? transfer.nodeHeaders() : undefined),
      'content-length': String(found.sizeBytes),
    };
    return {
      response: { status: 200, headers, body: undefined },
      handler: local === undefined ? 'mirror' : 'registry',
    };
  };

  /** The usual small blob, an image's configuration: the bytes are the answer itself, as those of a manifest are. */
  const answerShort = (
    request: BlobContentRequest,
    bytes: Uint8Array,
    followed: TransferFollower,
  ): ContentAnswer => {
    const response = shortBlobAnswer(bytes, request, request.forwarded ? transfer.nodeHeaders() : undefined);
    if (response.status === 416) return { response, handler: 'registry' };
    const movedBytes = response.body?.length ?? 0;
    transfer.answeredHere(movedBytes);
    followed.begins('local');
    followed.moved('local', { how: 'complete', movedBytes });
    followed.ended(request.path.digest, 'served');
    if (logger.writesDebug) {
      logger.debug('blob answered', {
        digest: request.path.digest,
        how: 'served',
        source: 'local',
        movedBytes,
      });
    }
    return { response, handler: 'registry' };
  };

  /** The place of a body that leaves the machine; throws DistributionError, 503, if there is none. */
  const beginUpload = async ({
    client,
    favoured,
    isFromSelf,
  }: BlobContentRequest): Promise<Disposable | undefined> => {
    const { uploads, uploadRefused } = deps;
    if (uploads === undefined || isFromSelf) return undefined;
    const upload = await uploads.begin(client, favoured);
    if (upload !== undefined) return upload;
    uploadRefused();
    throw overloaded();
  };

  /** Tells of the end of a request, and gives its answer: its head was sent with the body, if there was one. */
  const conclude = (
    { path, rangeHeader, forwarded, client }: BlobContentRequest,
    outcome: BlobOutcome,
    {
      handler,
      followed,
    }: { readonly handler: ContentAnswer['handler']; readonly followed: TransferFollower },
  ): ContentAnswer => {
    const { digest } = path;
    const mirrored = (cache: 'hit' | 'miss') => deps.mirrored(path.registry ?? '', cache);
    switch (outcome.how) {
      case 'missing':
        if (outcome.localVanished) deps.contentMissing(digest);
        if (!forwarded) {
          mirrored('miss');
          followed.ended(digest, 'missing', outcome.reason);
        }
        return { response: problemAnswer(unknownContent(path, outcome)), handler: 'registry' };
      case 'unsatisfiable':
        return { response: unsatisfiableAnswer(outcome.sizeBytes, path), handler };
      case 'broken-off':
        deps.responseBroken();
        if (handler === 'mirror') mirrored('miss');
        logger.warn('body broken off: no source could go on', { digest, ...outcome });
        break;
      case 'served':
        if (handler === 'mirror') mirrored('hit');
        break;
      case 'client-gone':
        break;
    }
    const resumed = outcome.how === 'served' && outcome.sources > 1;
    followed.ended(digest, resumed ? 'resumed' : outcome.how);
    if (logger.writesDebug) logger.debug('blob answered', { digest, ...outcome, flight: followed.flight });
    const sent = parseRange(rangeHeader) === undefined ? 200 : 206;
    return { response: statusOnly(client.begun ? sent : CLIENT_GONE_STATUS), handler };
  };

  /** Gives another node what this node is downloading; not an answer when there is no such download, or none any more. */
  const answerFlight = async (
    request: BlobContentRequest,
  ): Promise<ContentAnswer | 'absent' | 'given-up'> => {
    const { path, rangeHeader, client } = request;
    const { digest, registry } = path;
    const range = parseRange(rangeHeader);
    using _upload = await beginUpload(request);
    using _share = await enter(shares.bodies, FILE_BODY_BYTES, request);
    const outcome = await transfer.serveDownload({ digest, registry, range }, client);
    const handler = 'registry';
    if (outcome === 'absent' || outcome === 'given-up') return outcome;
    if (outcome === 'waiting' || outcome === 'queued') {
      return { response: waitingForDownload(outcome), handler };
    }
    if (outcome === 'unsatisfiable') return { response: unsatisfiableAnswer(undefined, path), handler };
    logger.debug('download given to another node', { digest, ...outcome });
    return { response: statusOnly(range === undefined ? 200 : 206), handler };
  };

  const answer = async (request: BlobContentRequest, followed: TransferFollower): Promise<ContentAnswer> => {
    const { method, path, rangeHeader, forwarded, client, isFlight, isDoubted, favoured } = request;
    const { digest, repository, registry } = path;
    const bytesUpTo = method === 'GET' ? COPIED_ANSWER_BYTES : undefined;
    let here = await lookups.blob(digest, client, bytesUpTo);
    if (here.value === undefined && forwarded && isFlight && method === 'GET' && lookups.isShared(digest)) {
      const given = await answerFlight(request);
      if (typeof given !== 'string') return given;
      // It may have been committed meanwhile.
      here = await lookups.blob(digest, client, bytesUpTo);
      if (given === 'given-up' && here.value === undefined) {
        return { response: givenUpDownload(path), handler: 'registry' };
      }
    }
    if (here.value !== undefined && forwarded && favoured && isDoubted) verifier.doubt(here.value);
    if (here.value !== undefined && method === 'GET') {
      const mayServe = verifier.mayServe(here.value);
      // What is known is not waited for.
      const isRefused = !(typeof mayServe === 'boolean' ? mayServe : await mayServe);
      if (isRefused) here = { value: undefined, away: false };
    }
    if (here.value === undefined) {
      const problem = lookups.notHere(digest, here.away, request);
      if (problem !== undefined) return { response: problemAnswer(problem), handler: 'registry' };
    }
    if (method === 'HEAD') return answerHead(request, here.value);
    if (here.value?.bytes !== undefined) return answerShort(request, here.value.bytes, followed);
    const missed = here.value === undefined ? transfer.knownMiss(digest, request.isFromSelf) : undefined;
    if (missed !== undefined) return conclude(request, missed, { handler: 'registry', followed });
    const range = parseRange(rangeHeader);
    // Short answers from the disk are not behind long ones.
    const isShort = here.value !== undefined && here.value.sizeBytes <= SHORT_BODY_BYTES;
    const weight = here.value === undefined ? PEER_BODY_BYTES : FILE_BODY_BYTES;
    using _upload = isShort ? undefined : await beginUpload(request);
    using _share = isShort ? undefined : await enter(shares.bodies, weight, request);
    const outcome = await transfer.serveBlob(
      {
        digest,
        repository,
        registry,
        range,
        local: here.value,
        mayAskPeers: !forwarded,
        isOwn: !forwarded && favoured,
        isJudged: !forwarded && request.isFromSelf,
        takeMemory: (bytes) => enterNow(shares.bodies, bytes, request),
        onSource: (origin) => followed.begins(origin),
        onMoved: (origin, end) => followed.moved(origin, end),
        onFlight: (flight) => followed.flew(flight),
      },
      client,
    );
    return conclude(request, outcome, {
      handler: here.value === undefined ? 'mirror' : 'registry',
      followed,
    });
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
