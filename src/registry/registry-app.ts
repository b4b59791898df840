import { Hono, type MiddlewareHandler } from 'hono';
import { getPath } from 'hono/utils/url';
import type { ClientResponse } from '../http/transport.ts';
import type { RequestHandler } from '../http/http-server.ts';
import type { BlobVerifier } from '../integrity/blob-verifier.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { PullLog } from '../observe/pull-log.ts';
import type { TransferLog } from '../observe/transfer-log.ts';
import { DistributionError } from '../oci/distribution-error.ts';
import { parseDistributionPath } from '../oci/distribution-path.ts';
import { addressShare } from '../runtime/address-share.ts';
import type { Clock } from '../runtime/clock.ts';
import { createTurnstile } from '../runtime/turnstile.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { SharingPolicy } from '../store/sharing-policy.ts';
import { FLIGHT_HEADER, MIRRORED_HEADER, VERIFY_HEADER } from '../transfer/peer-requests.ts';
import type { Transfer } from '../transfer/transfer.ts';
import { admitRequest } from './admit-request.ts';
import { checkAuthorization } from './check-authorization.ts';
import { createContentHandlers } from './content-handlers.ts';
import { createLayerPrefetch } from './layer-prefetch.ts';
import { REQUEST_BYTES, type RegistryShares } from './registry-shares.ts';
import { errorResponse, overloaded } from './responses.ts';
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
  /** Starts to look up who has content that will be asked for; returns at once. */
  readonly prefetch: (keys: readonly string[]) => void;
  readonly metrics: Pick<
    Metrics,
    'mirrorRequest' | 'responseBroken' | 'uploadRefused' | 'httpStarted' | 'httpEnded'
  >;
  /** Where transfers are kept for those who look; undefined: nowhere. */
  readonly transfers?: Pick<TransferLog, 'ended'> | undefined;
  /** Where pulls of this node's own containerd are kept for those who look; undefined: nowhere. */
  readonly pulls?: Pick<PullLog, 'ended'> | undefined;
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

interface Env {
  readonly Bindings: { readonly client: ClientResponse };
  readonly Variables: { handler: string; favoured: boolean };
}

/** The registry's HTTP: the distribution spec's pull endpoints, readiness and liveness. */
export function createRegistryApp(deps: RegistryDeps, options: RegistryOptions): RequestHandler {
  const { metrics, logger, clock } = deps;
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
  const app = new Hono<Env>({ getPath: (request) => withoutEmptyStart(getPath(request)) });

  app.use(async (c, next) => {
    const startedMs = clock.nowMs();
    const route = routeOf(c.req.path);
    const { client } = c.env;
    c.set('handler', route);
    metrics.httpStarted(route);
    try {
      await next();
    } finally {
      const sample = {
        handler: c.get('handler'),
        method: c.req.raw.method === 'GET' || c.req.raw.method === 'HEAD' ? c.req.raw.method : 'other',
        code: c.res.status,
        durationMs: clock.nowMs() - startedMs,
        sizeBytes: client.begun ? client.movedBytes : bodyLength(c.req.raw, c.res),
      };
      metrics.httpEnded(route, sample);
      logger.debug('request', { path: c.req.path, ...sample });
    }
  });
  app.use(async (c, next) => {
    const { method } = c.req.raw;
    if (method !== 'GET' && method !== 'HEAD') {
      const error = new DistributionError(
        405,
        'UNSUPPORTED',
        `This mirror is read-only: ${method} is not supported`,
      );
      return errorResponse(error, { allow: 'GET, HEAD' });
    }
    return next();
  });
  app.get('/readyz', (c) => (deps.ready() ? c.body(null, 200) : c.text('the router is not ready', 500)));
  app.get('/livez', (c) => c.body(null, 200));
  const authorize: MiddlewareHandler<Env> = async (c, next) => {
    checkAuthorization(options.authorization, c.req.raw.headers.get('authorization') ?? undefined);
    await next();
  };
  const turnstile = createTurnstile(STRANGERS_PER_TURN);
  app.use('/v2', authorize);
  app.use('/v2/*', authorize);
  app.use('/v2/*', async (c, next) => {
    const { client } = c.env;
    const favoured = deps.isFavoured(client.remoteAddress);
    c.set('favoured', favoured);
    using share = await deps.shares.requests.enter({
      key: addressShare(client.remoteAddress),
      weight: REQUEST_BYTES,
      favoured,
      // Made for a request that waits only.
      get signal() {
        return client.gone;
      },
      // Short bodies have no other share.
      stalledMs: () => client.stalledMs,
      evict: () => client.breakOff(),
    });
    if (share === undefined) throw overloaded();
    if (!favoured) await turnstile.pass();
    await next();
  });
  app.on('GET', ['/v2', '/v2/'], () =>
    Response.json({}, { headers: { 'docker-distribution-api-version': 'registry/2.0' } }),
  );
  app.get('/v2/*', async (c) => {
    const url = new URL(c.req.url);
    const method = c.req.raw.method === 'HEAD' ? 'HEAD' : 'GET';
    const asked = parseDistributionPath(
      withoutEmptyStart(url.pathname),
      url.searchParams.get('ns') ?? undefined,
    );
    const forwarded = c.req.raw.headers.get(MIRRORED_HEADER) === 'true';
    const isOwn = !forwarded && deps.isOwn?.(c.env.client.remoteAddress) === true;
    using pull = isOwn ? pulls.asked(asked, method) : undefined;
    const request = admitRequest(admission, {
      method,
      path: asked,
      rangeHeader: c.req.raw.headers.get('range') ?? undefined,
      forwarded,
      pull,
      isFlight: c.req.raw.headers.has(FLIGHT_HEADER),
      isDoubted: c.req.raw.headers.has(VERIFY_HEADER),
      client: c.env.client,
      favoured: c.get('favoured'),
    });
    const { path } = request;
    const answer =
      path.kind === 'blob' ? await handlers.blob({ ...request, path }) : await handlers.manifest(request);
    c.set('handler', answer.handler);
    return answer.response;
  });
  app.notFound((c) =>
    errorResponse(new DistributionError(404, 'UNSUPPORTED', `No such endpoint: ${c.req.path.slice(0, 300)}`)),
  );
  app.onError((error, c) => {
    if (error instanceof DistributionError) return errorResponse(error);
    logger.error('request failed', { path: c.req.path, error });
    return errorResponse(
      new DistributionError(500, 'UNAVAILABLE', 'Internal error; see the log of this node'),
    );
  });
  return (request, client) => app.fetch(request, { client });
}

/** `//v2/…` is what containerd asks a mirror for whose URL in hosts.toml ends in a slash; it means `/v2/…`. */
function withoutEmptyStart(path: string): string {
  return path.replace(/^\/+(?=\/v2(?:\/|$))/, '');
}

/** Bytes of an answer that is not moved; those of HEAD tell of a body that is not sent. */
function bodyLength(request: Request, response: Response): number {
  return request.method === 'HEAD' ? 0 : Number(response.headers.get('content-length') ?? 0);
}

function routeOf(path: string): string {
  if (path === '/v2' || path === '/v2/') return 'v2';
  if (path.startsWith('/v2/')) return 'registry';
  return path === '/readyz' || path === '/livez' ? path.slice(1) : 'other';
}
