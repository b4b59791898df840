import { type Context, Hono } from 'hono';
import { createMiddleware } from 'hono/factory';
import type { ClientResponse } from '../http/transport.ts';
import type { AdvertisedCounts } from '../observe/metrics.ts';
import type { LoggedTransfer, TransferLog } from '../observe/transfer-log.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import type { FlightsReport } from '../routing/flights-report.ts';
import type { Router } from '../routing/router.ts';
import type { WhyQuestion, WhyReport } from '../routing/why-report.ts';
import type { Clock } from '../runtime/clock.ts';
import { createClientRate } from './client-rate.ts';
import { createHoldersCounter, parseHoldersQuestion } from './count-holders.ts';
import { parseWhyQuestion } from './explain.ts';
import { MAX_FOUND_TAGS, MAX_HOLDER_KEYS, MAX_SEARCH_LENGTH } from './images-report.ts';
import { isSameOrigin, originOf } from './same-origin.ts';
import { parseImagesQuestion, searchImages } from './search-images.ts';
import { PAGE_PATH, type PageAnswerDeps } from './page-answer.ts';
import type { PullsAnswerDeps } from './pulls-answer.ts';
import { listSharedImages, type SharedImages } from './shared-images.ts';

/** Explanations at once: each looks up an image's layers, and asks peers. */
const MAX_EXPLANATIONS = 2;
/** Explanations of one client: so many at once, then one in EXPLANATION_EVERY_S seconds. */
const EXPLANATION_BURST = 10;
const EXPLANATION_EVERY_S = 3;
/** For a client that left before its answer: nobody reads it. */
const CLIENT_GONE_STATUS = 400;
/** When a question that found no room may be asked again, in seconds. */
const RETRY_AFTER_S = 1;

/** What the routes know of the client. */
export interface ClientEnv {
  readonly Bindings: { readonly client: Pick<ClientResponse, 'remoteAddress' | 'gone'> };
}

/** What the debug page and its JSON show. */
export interface DebugRoutesDeps extends PageAnswerDeps, PullsAnswerDeps {
  readonly router: Pick<Router, 'self' | 'ready' | 'peers' | 'lookup'>;
  /** True if this node has the key itself. */
  readonly hasLocally: (key: string) => Promise<boolean>;
  readonly clock: Clock;
  /** What is announced now. */
  readonly advertised: () => AdvertisedCounts;
  readonly transfers: Pick<TransferLog, 'last'>;
  /** Says why this node serves what is asked for, or does not. */
  readonly why: (question: WhyQuestion, signal: AbortSignal) => Promise<WhyReport>;
  /** What this node knows of flights, of one digest if that is given; undefined: it takes no part in flights. */
  readonly flights?: ((digest: Digest | undefined) => Omit<FlightsReport, 'self'>) | undefined;
}

/** The part below /debug that --debug-web-enabled=false leaves out, but for the page itself, its stream and the pulls: as JSON the images, transfers and pulls. */
export function createDebugRoutes(deps: DebugRoutesDeps): Hono<ClientEnv> {
  const { router, transfers, clock } = deps;
  const images = (): SharedImages => listSharedImages(deps.advertised(), deps.advertisedTags());
  const app = new Hono<ClientEnv>();
  app.get('/web', (c) => c.redirect(PAGE_PATH, 308));
  app.get('/images', (c) => {
    const query = new URL(c.req.url).searchParams;
    if (!['search', 'offset', 'limit'].some((name) => query.has(name))) return c.json(images());
    const question = parseImagesQuestion(query);
    if (question === undefined) {
      const error = `search may have ${MAX_SEARCH_LENGTH} characters, offset and limit are numbers, limit at most ${MAX_FOUND_TAGS}`;
      return c.json({ error }, 400);
    }
    return c.json(searchImages(deps.advertisedTags(), question));
  });
  const holders = createHoldersCounter(deps);
  app.post('/images/holders', fromSameOrigin, async (c) => {
    const keys = parseHoldersQuestion(await c.req.text());
    if (keys === undefined) {
      return c.json({ error: `keys must be a list of at most ${MAX_HOLDER_KEYS} routing keys` }, 400);
    }
    if (holders.isBusy) {
      c.header('retry-after', String(RETRY_AFTER_S));
      return c.json({ error: 'this node is answering another such question; try again' }, 429);
    }
    return c.json(await holders.count(keys, c.env.client.gone));
  });
  app.get('/transfers', (c) => c.json({ transfers: transfers.last().map(transferJson) }));
  const rate = createClientRate(() => clock.nowMs(), {
    burst: EXPLANATION_BURST,
    perSecond: 1 / EXPLANATION_EVERY_S,
  });
  let explanations = 0;
  const explain = async (c: Context<ClientEnv>, question: WhyQuestion) => {
    if (parseWhyQuestion(question) === undefined) {
      const error = 'key must be registry/repository:tag, or a digest, then name may be registry/repository';
      return c.json({ error }, 400);
    }
    if (explanations >= MAX_EXPLANATIONS) {
      c.header('retry-after', String(RETRY_AFTER_S));
      return c.json({ error: 'too many questions at once; try again' }, 503);
    }
    const { client } = c.env;
    if (!rate.take(client.remoteAddress)) {
      c.header('retry-after', String(EXPLANATION_EVERY_S));
      const error = `asked too often: each answer costs other nodes work, so there is one in ${EXPLANATION_EVERY_S} seconds; try again`;
      return c.json({ error }, 429);
    }
    explanations++;
    try {
      return c.json(await deps.why(question, client.gone));
    } catch (error) {
      if (!client.gone.aborted) throw error;
      return c.json({ error: 'the client has left' }, CLIENT_GONE_STATUS);
    } finally {
      explanations--;
    }
  };
  app.get('/why', fromSameOrigin, async (c) =>
    explain(c, { key: c.req.query('key') ?? '', name: c.req.query('name') }),
  );
  app.post('/why', fromSameOrigin, async (c) => {
    const question = parseWhyBody(await c.req.text(), c.req.header('content-type') ?? '');
    return question === undefined ? c.json({ error: UNREADABLE_BODY }, 400) : explain(c, question);
  });
  const { flights } = deps;
  if (flights !== undefined) {
    app.get('/flights', (c) => {
      const digest = c.req.query('digest');
      if (digest !== undefined && !isDigest(digest)) {
        return c.json({ error: 'digest must be one, such as sha256:2cf2…' }, 400);
      }
      const report: FlightsReport = { self: router.self().id, ...flights(digest) };
      return c.json(report);
    });
  }
  return app;
}

const UNREADABLE_BODY = 'the body must be a form or JSON with key, and perhaps name';

/** The question of a form or of JSON; undefined if the body is neither. An empty name is none. */
function parseWhyBody(text: string, contentType: string): WhyQuestion | undefined {
  const [type] = contentType.toLowerCase().split(';');
  if (type?.trim() === 'application/x-www-form-urlencoded') {
    const form = new URLSearchParams(text);
    return { key: form.get('key') ?? '', name: form.get('name') || undefined };
  }
  try {
    const { key, name } = (JSON.parse(text) ?? {}) as { readonly key?: unknown; readonly name?: unknown };
    if (typeof key !== 'string' || (name !== undefined && typeof name !== 'string')) return undefined;
    return { key, name: name || undefined };
  } catch {
    return undefined;
  }
}

/** Refuses what a page of another origin sends: it triggers work. */
const fromSameOrigin = createMiddleware<ClientEnv>(async (c, next) => {
  if (isSameOrigin(originOf((name) => c.req.header(name)))) return next();
  return c.json({ error: 'pages of another origin may not ask this' }, 403);
});

function transferJson({ startedAtMs, durationMs, ...transfer }: LoggedTransfer) {
  return { startedAt: new Date(startedAtMs).toISOString(), durationMs: Math.round(durationMs), ...transfer };
}
