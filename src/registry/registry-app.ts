import { Hono } from 'hono';
import type { ClientResponse } from '../http/body-mover.ts';
import type { RequestHandler } from '../http/http-server.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { DistributionError, formatDistributionError } from '../oci/distribution-error.ts';
import { parseDistributionPath } from '../oci/distribution-path.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ContentStore } from '../store/content-store.ts';
import { MIRRORED_HEADER } from '../transfer/peer-requests.ts';
import type { Transfer } from '../transfer/transfer.ts';
import { type ContentRequest, createContentHandlers } from './content-handlers.ts';

/** What the registry needs. */
export interface RegistryDeps {
  readonly store: Pick<ContentStore, 'resolve' | 'stat' | 'read'>;
  readonly transfer: Transfer;
  readonly ready: () => boolean;
  readonly contentMissing: (key: string) => void;
  readonly metrics: Pick<Metrics, 'mirrorRequest' | 'responseBroken' | 'httpStarted' | 'httpEnded'>;
  readonly logger: Logger;
  readonly clock: Clock;
}

interface Env {
  readonly Bindings: { readonly client: ClientResponse };
  readonly Variables: { handler: string };
}

/** The registry's HTTP: the distribution spec's pull endpoints, readiness and liveness. */
export function createRegistryApp(deps: RegistryDeps): RequestHandler {
  const { metrics, logger, clock } = deps;
  const handlers = createContentHandlers({
    ...deps,
    mirrored: (registry, cache) => metrics.mirrorRequest(registry, cache),
    responseBroken: () => metrics.responseBroken(),
  });
  const app = new Hono<Env>();

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
        sizeBytes: client.begun ? client.movedBytes : Number(c.res.headers.get('content-length') ?? 0),
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
  app.on('GET', ['/v2', '/v2/'], () =>
    Response.json({}, { headers: { 'docker-distribution-api-version': 'registry/2.0' } }),
  );
  app.get('/v2/*', async (c) => {
    const url = new URL(c.req.url);
    const request: ContentRequest = {
      method: c.req.raw.method === 'HEAD' ? 'HEAD' : 'GET',
      path: parseDistributionPath(url.pathname, url.searchParams.get('ns') ?? undefined),
      rangeHeader: c.req.raw.headers.get('range') ?? undefined,
      forwarded: c.req.raw.headers.get(MIRRORED_HEADER) === 'true',
      client: c.env.client,
    };
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

function routeOf(path: string): string {
  if (path === '/v2' || path === '/v2/') return 'v2';
  if (path.startsWith('/v2/')) return 'registry';
  return path === '/readyz' || path === '/livez' ? path.slice(1) : 'other';
}

function errorResponse(error: DistributionError, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(formatDistributionError(error), {
    status: error.status,
    headers: { 'content-type': 'application/json', ...headers },
  });
}
