import { CANARY_PATH_PREFIX } from '../canary/canary-name.ts';
import type { Canary } from '../canary/canary.ts';
import type { ClientResponse } from '../http/transport.ts';
import type { ClientRequest, PlainAnswer } from '../http/http-server.ts';
import type { BlobVerifier } from '../integrity/blob-verifier.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { PullLog } from '../observe/pull-log.ts';
import type { TransferLog } from '../observe/transfer-log.ts';
import { DistributionError } from '../oci/distribution-error.ts';
import { parseDistributionPath } from '../oci/distribution-path.ts';
import type { Clock } from '../runtime/clock.ts';
import { canonicalIp } from '../runtime/ip-address.ts';
import { createTurnstile } from '../runtime/turnstile.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { SharingPolicy } from '../store/sharing-policy.ts';
import { FLIGHT_HEADER, MIRRORED_HEADER, VERIFY_HEADER } from '../transfer/peer-requests.ts';
import type { Transfer } from '../transfer/transfer.ts';
import { admitRequest } from './admit-request.ts';
import { checkAuthorization } from './check-authorization.ts';
import type { AdmittedRequest, BlobContentRequest } from './content-request.ts';
import { createContentHandlers } from './content-handlers.ts';
import { tryEnter } from './enter-shares.ts';
import { createLayerPrefetch } from './layer-prefetch.ts';
import { REQUEST_BYTES, type RegistryShares } from './registry-shares.ts';
import { overloaded, problemAnswer } from './responses.ts';
import type { TrafficCounts } from './follow-transfer.ts';
import { createPullTracker } from './pull-tracker.ts';
import type { Uploads } from './uploads.ts';

/**
 * Requests of clients that are not this node's own, nor another node's, that begin in a turn of the event loop. To begin one
 * takes up to a millisecond; a lookup for this node's own containerd waits for that several times.
 */
const STRANGERS_PER_TURN = 2;

/** What the registry needs. */
export interface RegistryDeps {
  readonly store: Pick<ContentStore, 'resolve' | 'stat' | 'read' | 'registriesOf'>;
  readonly policy: SharingPolicy;
  readonly transfer: Transfer;
  readonly ready: () => boolean;
  readonly contentMissing: (key: string) => void;
  /** What requests share. */
  readonly shares: RegistryShares;
  /** What goes to other machines; undefined: there is no cap. */
  readonly uploads?: Pick<Uploads, 'begin'> | undefined;
  /** Whether an address is this node's own. Default: none is. */
  readonly isOwn?: ((address: string) => boolean) | undefined;
  /** Whether an address is this node's own or that of another node. */
  readonly isFavoured: (address: string) => boolean;
  /** Knows which blobs of this node are what their digests say. */
  readonly verifier: Pick<BlobVerifier, 'doubt' | 'mayServe'>;
  /** Answers for the image that finds out whether containerd asks this mirror; undefined: there is none. */
  readonly canary?: Pick<Canary, 'answer' | 'refused' | 'heard'> | undefined;
  /** One line about the node, for those who read /readyz. Default: none. */
  readonly readyNote?: (() => string | undefined) | undefined;
  /** Starts to look up who has content that will be asked for; returns at once. */
  readonly prefetch: (keys: readonly string[]) => void;
  readonly metrics: Pick<
    Metrics,
    'mirrorRequest' | 'responseBroken' | 'uploadRefused' | 'httpStarted' | 'httpEnded'
  >;
  /** Where transfers are kept for those who look; undefined: nowhere. */
  readonly transfers?: Pick<TransferLog, 'ended'> | undefined;
  /** Where what is moved is added up, for those who look; undefined: nowhere. */
  readonly traffic?: TrafficCounts | undefined;
  /** Where pulls of this node's own containerd are kept for those who look; undefined: nowhere. */
  readonly pulls?: Pick<PullLog, 'ended' | 'runningFrom'> | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** What the registry is told by flags and files. */
export interface RegistryOptions {
  /** The registries that are mirrored; undefined: all. */
  readonly mirroredRegistries: ReadonlySet<string> | undefined;
  /** The Authorization header that every request below /v2/ must have; undefined: none. */
  readonly authorization: string | undefined;
  /** How many bytes of manifests are kept. */
  readonly manifestCacheBytes: number;
}

/** Answers a request, and says by which way (the `handler` label of the HTTP metrics). */
interface Answered {
  readonly response: PlainAnswer;
  readonly handler: string;
}

/** The registry's HTTP: the distribution spec's pull endpoints, readiness and liveness. */
export function createRegistryApp(
  deps: RegistryDeps,
  options: RegistryOptions,
): (request: ClientRequest, client: ClientResponse) => Promise<PlainAnswer> {
  const { metrics, logger, clock, traffic } = deps;
  const pulls = createPullTracker(deps);
  const handlers = createContentHandlers({
    ...deps,
    mirrored: (registry, cache) => metrics.mirrorRequest(registry, cache),
    responseBroken: () => metrics.responseBroken(),
    uploadRefused: () => metrics.uploadRefused(),
    transferEnded: (transfer) => deps.transfers?.ended(transfer),
    layerPrefetch: createLayerPrefetch({ ...deps, named: pulls.named }),
    manifestCacheBytes: options.manifestCacheBytes,
  });
  const { mirroredRegistries } = options;
  const admission = { store: deps.store, policy: deps.policy, mirroredRegistries };
  const turnstile = createTurnstile(STRANGERS_PER_TURN);

  const answerContent = async (
    { method, headers }: ClientRequest,
    { path, query }: Target,
    {
      client,
      favoured,
      isFromSelf,
    }: { readonly client: ClientResponse; readonly favoured: boolean; readonly isFromSelf: boolean },
  ): Promise<Answered> => {
    const asked = parseDistributionPath(path, namespaceOf(query));
    const isHead = method === 'HEAD';
    const forwarded = headers.get(MIRRORED_HEADER) === 'true';
    const isOwn = !forwarded && isFromSelf;
    using pull = isOwn ? pulls.asked(asked, isHead ? 'HEAD' : 'GET', client) : undefined;
    const request = admitRequest(admission, {
      method: isHead ? 'HEAD' : 'GET',
      path: asked,
      rangeHeader: headers.get('range') ?? undefined,
      forwarded,
      pull,
      isFlight: headers.has(FLIGHT_HEADER),
      isDoubted: headers.has(VERIFY_HEADER),
      client,
      favoured,
      isFromSelf,
    });
    if (isOwn) deps.canary?.heard(request.path.registry ?? '');
    // Awaited here, because the pull counts the request until then.
    return isForBlob(request) ? await handlers.blob(request) : await handlers.manifest(request);
  };
  /** The answer to a request for a canary, which is no pull: it takes no share, and is counted nowhere else. */
  const answerCanary = (
    { method, headers }: ClientRequest,
    { path, query }: Target,
    client: ClientResponse,
  ): PlainAnswer | undefined => {
    const { canary } = deps;
    if (canary === undefined || !path.startsWith(CANARY_PATH_PREFIX)) return undefined;
    const asked = parseDistributionPath(path, namespaceOf(query));
    try {
      checkAuthorization(options.authorization, headers.get('authorization') ?? undefined);
    } catch (error) {
      canary.refused(asked);
      throw error;
    }
    return canary.answer({
      method: method === 'HEAD' ? 'HEAD' : 'GET',
      path: asked,
      forwarded: headers.get(MIRRORED_HEADER) === 'true',
      from: client.remoteAddress,
    });
  };
  /** What is below /v2/ needs the right password, and a share of what requests may hold. */
  const answerApi = async (
    request: ClientRequest,
    target: Target,
    client: ClientResponse,
  ): Promise<Answered> => {
    const canaryAnswer = answerCanary(request, target, client);
    if (canaryAnswer !== undefined) return { response: canaryAnswer, handler: 'canary' };
    checkAuthorization(options.authorization, request.headers.get('authorization') ?? undefined);
    const isFromSelf = deps.isOwn?.(client.remoteAddress) === true;
    const favoured = isFromSelf || deps.isFavoured(client.remoteAddress);
    // Its short bodies have no other share.
    using share = await tryEnter(deps.shares.requests, REQUEST_BYTES, { client, favoured, isFromSelf });
    if (share === undefined) throw overloaded();
    if (!favoured) await turnstile.pass();
    if (routeOf(target.path) === 'v2') return { response: API_ROOT, handler: 'v2' };
    // Awaited here, because the share is held until then.
    return await answerContent(request, target, { client, favoured, isFromSelf });
  };
  const answer = (
    request: ClientRequest,
    target: Target,
    client: ClientResponse,
  ): Answered | Promise<Answered> => {
    const { method } = request;
    const { path } = target;
    const handler = routeOf(path);
    if (method !== 'GET' && method !== 'HEAD') {
      const message = `This mirror is read-only: ${method} is not supported`;
      const problem = { status: 405, code: 'UNSUPPORTED', message } as const;
      return { response: problemAnswer(problem, { allow: 'GET, HEAD' }), handler };
    }
    if (handler === 'livez') return { response: EMPTY, handler };
    if (handler === 'readyz') return { response: readyAnswer(deps.ready(), deps.readyNote?.()), handler };
    if (handler === 'other') {
      const message = `No such endpoint: ${path.slice(0, 300)}`;
      return { response: problemAnswer({ status: 404, code: 'UNSUPPORTED', message }), handler };
    }
    return answerApi(request, target, client);
  };
  const refuse = (error: unknown, path: string): PlainAnswer => {
    if (error instanceof DistributionError) return problemAnswer(error);
    logger.error('request failed', { path, error });
    const message = 'Internal error; see the log of this node';
    return problemAnswer({ status: 500, code: 'UNAVAILABLE', message });
  };

  return async (request, client) => {
    const startedMs = clock.nowMs();
    const target = targetOf(request.url);
    const { path } = target;
    const route = routeOf(path);
    metrics.httpStarted(route);
    let answered: Answered;
    try {
      answered = await answer(request, target, client);
    } catch (error) {
      answered = { response: refuse(error, path), handler: route };
    }
    const { response, handler } = answered;
    const { method } = request;
    const { remoteAddress } = client;
    const sample = {
      handler,
      method: method === 'GET' || method === 'HEAD' ? method : 'other',
      code: response.status,
      durationMs: clock.nowMs() - startedMs,
      // A HEAD tells of a body that is not sent.
      sizeBytes: client.begun ? client.movedBytes : method === 'HEAD' ? 0 : (response.body?.length ?? 0),
    };
    metrics.httpEnded(route, sample);
    // Not what a stranger says to be, nor this node's own client through another mirror.
    if (traffic !== undefined && request.headers.get(MIRRORED_HEADER) === 'true') {
      const isPeer = deps.isFavoured(remoteAddress) && deps.isOwn?.(remoteAddress) !== true;
      const givenBytes = sample.sizeBytes;
      if (isPeer && givenBytes > 0 && sample.code < 400) {
        traffic.byHour.add({ givenBytes });
        // Peers are known by their IPv4 addresses as such.
        traffic.byPeer.add(canonicalIp(remoteAddress) ?? remoteAddress, { givenBytes });
      }
    }
    if (logger.writesDebug) logger.debug('request', { path, ...sample });
    return response;
  };
}

function isForBlob(request: AdmittedRequest): request is BlobContentRequest {
  return request.path.kind === 'blob';
}

const EMPTY: PlainAnswer = { status: 200, headers: {}, body: undefined };

function readyAnswer(isReady: boolean, note: string | undefined): PlainAnswer {
  const lines = [isReady ? undefined : 'the router is not ready', note].filter((line) => line !== undefined);
  if (lines.length === 0) return EMPTY;
  return {
    status: isReady ? 200 : 500,
    headers: { 'content-type': 'text/plain; charset=UTF-8' },
    body: Buffer.from(lines.join('\n')),
  };
}

/** Of /v2/: this speaks the distribution spec. */
const API_ROOT: PlainAnswer = {
  status: 200,
  headers: {
    'content-type': 'application/json;charset=utf-8',
    'docker-distribution-api-version': 'registry/2.0',
  },
  body: Buffer.from('{}'),
};

/** The parts of a URL that say what is asked for. */
interface Target {
  /** Not decoded. */
  readonly path: string;
  /** What follows the question mark; empty if there is none. */
  readonly query: string;
}

/** The target of a URL of a handler's request. */
function targetOf(url: string): Target {
  const start = url.indexOf('/', url.indexOf('://') + '://'.length);
  const end = url.indexOf('?', start);
  const path = withoutEmptyStart(end === -1 ? url.slice(start) : url.slice(start, end));
  return { path, query: end === -1 ? '' : url.slice(end + 1) };
}

/** `//v2/…` is what containerd asks a mirror for whose URL in hosts.toml ends in a slash; it means `/v2/…`. */
function withoutEmptyStart(path: string): string {
  return path.startsWith('//') ? path.replace(/^\/+(?=\/v2(?:\/|$))/, '') : path;
}

/** What the query says of the registry. containerd's and those of other nodes have nothing else, and a port to decode at most. */
function namespaceOf(query: string): string | undefined {
  const [, plain] = /^ns=((?:[\w.:-]|%3A)*)(?:&|$)/.exec(query) ?? [];
  return plain?.replaceAll('%3A', ':') ?? new URLSearchParams(query).get('ns') ?? undefined;
}

/** The `handler` label of requests for the path, before it is known where the content comes from. */
function routeOf(path: string) {
  if (path === '/v2' || path === '/v2/') return 'v2';
  if (path.startsWith(CANARY_PATH_PREFIX)) return 'canary';
  if (path.startsWith('/v2/')) return 'registry';
  if (path === '/readyz') return 'readyz';
  return path === '/livez' ? 'livez' : 'other';
}
