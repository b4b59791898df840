import { Hono } from 'hono';
import { CANARY_PATH, type CanaryReport, type CanaryResult } from '../canary/canary-result.ts';
import type { ClientRequest, HandlerAnswer, StreamedAnswer } from '../http/http-server.ts';
import { toRequest } from '../http/to-request.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { parseRoutingKey } from '../oci/routing-key.ts';
import { countPeers } from '../routing/peer-counts.ts';
import { FIND_PATH, type FindReport, PEERS_PATH, type PeersReport } from '../routing/peers-report.ts';
import type { BootstrapState, Router } from '../routing/router.ts';
import { createDeadline } from '../runtime/deadline.ts';
import { shareResult } from '../runtime/share-result.ts';
import { type ClientEnv, createDebugRoutes, type DebugRoutesDeps } from './debug-routes.ts';
import { createLiveFacts } from './live-facts.ts';
import { LIVE_PATH } from './live-report.ts';
import { createLiveStreams, type LiveStreams, MAX_LIVE_STREAMS } from './live-streams.ts';
import { createPageAnswer, PAGE_PATH } from './page-answer.ts';
import { createPullsAnswer, PULLS_PATH } from './pulls-answer.ts';
import { isSameOrigin, originOf } from './same-origin.ts';

/** Longest lookup that a caller may ask for, in ms. */
const MAX_FIND_TIMEOUT_MS = 10_000;
/** What a lookup waits for when the caller does not say, in ms. */
const DEFAULT_FIND_TIMEOUT_MS = 1000;
/** Most providers that a lookup reports. */
const FIND_LIMIT = 100;
/** When a stream may be asked for again that found no room, in seconds. */
const LIVE_RETRY_AFTER_S = 5;
/** Lookups at once: they cost the cluster messages, and whoever reaches this port may ask for them. */
const MAX_CONCURRENT_FINDS = 4;

/** What the metrics listener needs. */
export interface MetricsAppDeps extends DebugRoutesDeps {
  readonly metrics: Pick<Metrics, 'expose'>;
  readonly router: Router;
  /** Undefined while that is not known. */
  readonly bootstrap: () => BootstrapState | undefined;
  /** The image that finds out whether containerd asks this mirror; undefined: there is none. */
  readonly canary?: AskableCanary | undefined;
  readonly logger: Logger;
}

/** What `/debug/canary` asks for. */
export interface AskableCanary {
  readonly last: () => CanaryResult | undefined;
  /** Runs it now, or takes part in the run that is under way. */
  readonly run: () => Promise<CanaryResult>;
  readonly isRunning: () => boolean;
  /** How long to wait until the next run may begin, in ms. */
  readonly restMs: () => number;
}

/** What the metrics listener is told by flags. */
export interface MetricsAppOptions {
  /** --debug-web-enabled: serve the page at /debug/web/, /debug/images and /debug/transfers. */
  readonly debugWebEnabled: boolean;
}

/** Answers a request, see RequestHandler. */
type MetricsApp = (request: ClientRequest, client: ClientEnv['Bindings']['client']) => Promise<HandlerAnswer>;

/**
 * The HTTP of --metrics-addr: Prometheus metrics, what `spegel peers` asks for, and what the debug page shows. The signal ends
 * streams.
 */
export function createMetricsApp(
  deps: MetricsAppDeps,
  options: MetricsAppOptions,
  signal: AbortSignal,
): MetricsApp {
  const { metrics, router, bootstrap, hasLocally, clock, logger } = deps;
  const app = new Hono<ClientEnv>();
  let finds = 0;

  const expose = shareResult(clock, () => metrics.expose(), { isKept: false });
  app.get('/metrics', async () => {
    const { contentType, body } = await expose();
    return new Response(body, { headers: { 'content-type': contentType } });
  });

  if (options.debugWebEnabled) app.route('/debug', createDebugRoutes(deps));

  app.get(PEERS_PATH, async (c) => {
    const { id, multiaddrs, zone, name } = router.self();
    const peers = await router.peers();
    const report: PeersReport = {
      self: { id, addresses: multiaddrs, zone, name },
      ready: router.ready(),
      bootstrap: bootstrap(),
      counts: countPeers(peers),
      peers,
    };
    return c.json(report);
  });

  app.get(FIND_PATH, async (c) => {
    const key = c.req.query('key') ?? '';
    if (parseRoutingKey(key) === undefined) {
      return c.json({ error: 'key must be a digest or registry/repository:tag' }, 400);
    }
    const timeoutMs = Number(c.req.query('timeout') ?? DEFAULT_FIND_TIMEOUT_MS);
    if (!(timeoutMs > 0 && timeoutMs <= MAX_FIND_TIMEOUT_MS)) {
      return c.json({ error: `timeout must be a number of ms up to ${MAX_FIND_TIMEOUT_MS}` }, 400);
    }
    if (finds >= MAX_CONCURRENT_FINDS) return c.json({ error: 'too many lookups at once; try again' }, 503);
    finds++;
    try {
      const local = hasLocally(key).catch(() => false);
      const startedMs = clock.nowMs();
      using deadline = createDeadline(clock, timeoutMs);
      const providers: FindReport['providers'][number][] = [];
      for await (const peer of router.lookup(key, { signal: deadline.signal, limit: FIND_LIMIT })) {
        providers.push({ ...peer, tookMs: clock.nowMs() - startedMs });
      }
      const tookMs = clock.nowMs() - startedMs;
      const report: FindReport = { key, tookMs, providers, local: await local };
      return c.json(report);
    } finally {
      finds--;
    }
  });

  const { canary } = deps;
  if (canary !== undefined) {
    const report = (last: CanaryResult | undefined): CanaryReport => ({ last: last ?? null });
    app.get(CANARY_PATH, (c) => c.json(report(canary.last())));
    app.post(CANARY_PATH, async (c) => {
      if (!isSameOrigin(originOf((name) => c.req.header(name)))) {
        return c.json({ error: 'pages of another origin may not run the canary' }, 403);
      }
      const restMs = canary.isRunning() ? 0 : canary.restMs();
      if (restMs > 0) {
        const seconds = Math.ceil(restMs / 1000);
        c.header('retry-after', String(seconds));
        const error = `the canary has just run, and containerd may ask a registry for it: again in ${seconds} s; GET has the last result`;
        return c.json({ error }, 429);
      }
      return c.json(report(await canary.run()));
    });
  }

  app.onError((error, c) => {
    logger.error('request failed', { path: c.req.path, error });
    return c.json({ error: 'internal error; see the log of this node' }, 500);
  });

  const live = options.debugWebEnabled
    ? createLiveStreams({ createFacts: () => createLiveFacts(deps.live), clock, logger }, signal)
    : undefined;
  /** Hono has whole answers only. */
  const stream = ({ headers }: ClientRequest, streams: LiveStreams): Response | StreamedAnswer => {
    if (!isSameOrigin(originOf((name) => headers.get(name)))) {
      return Response.json({ error: 'pages of another origin may not look' }, { status: 403 });
    }
    const answer = streams.open();
    if (answer !== undefined) return answer;
    const error = `${MAX_LIVE_STREAMS} streams are open, which is the most that there may be; try again later`;
    return Response.json({ error }, { status: 503, headers: { 'retry-after': String(LIVE_RETRY_AFTER_S) } });
  };
  /** What is large is the same bytes for many. */
  const shared = options.debugWebEnabled
    ? new Map([
        [PAGE_PATH, createPageAnswer(deps)],
        [PULLS_PATH, createPullsAnswer(deps)],
      ])
    : undefined;
  return async (request, client) => {
    const path = pathOf(request.url);
    const { method } = request;
    if (live !== undefined && method === 'GET' && path === LIVE_PATH) return stream(request, live);
    const answer = method === 'GET' || method === 'HEAD' ? shared?.get(path) : undefined;
    if (answer !== undefined) return answer();
    return app.fetch(toRequest(request), { client });
  };
}

/** The path of a handler's URL. */
function pathOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname : '';
}
