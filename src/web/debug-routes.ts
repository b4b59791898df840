import { Hono } from 'hono';
import type { AdvertisedCounts } from '../observe/metrics.ts';
import type { LoggedPull, PullLog } from '../observe/pull-log.ts';
import type { LoggedTransfer, TransferLog } from '../observe/transfer-log.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import type { FlightsReport } from '../routing/flights-report.ts';
import type { Router } from '../routing/router.ts';
import type { Tag } from '../store/content-store.ts';
import type { WhyQuestion, WhyReport } from '../routing/why-report.ts';
import { parseWhyQuestion } from './explain.ts';
import { DEBUG_PAGE_POLICY, debugPage } from './debug-page.ts';
import { listSharedImages, type SharedImages } from './shared-images.ts';

/** Explanations at once: each looks up an image's layers, and asks peers. */
const MAX_EXPLANATIONS = 2;

/** What the debug page and its JSON show. */
export interface DebugRoutesDeps {
  readonly router: Pick<Router, 'self' | 'ready' | 'peers'>;
  /** What is announced now. */
  readonly advertised: () => AdvertisedCounts;
  readonly advertisedTags: () => readonly Tag[];
  readonly transfers: Pick<TransferLog, 'last'>;
  readonly pulls: Pick<PullLog, 'last'>;
  /** Says why this node serves what is asked for, or does not. */
  readonly why: (question: WhyQuestion) => Promise<WhyReport>;
  /** What this node knows of flights, of one digest if that is given; undefined: it takes no part in flights. */
  readonly flights?: ((digest: Digest | undefined) => Omit<FlightsReport, 'self'>) | undefined;
}

/** The part below /debug that --debug-web-enabled=false leaves out: the page, and as JSON the images, transfers and pulls. */
export function createDebugRoutes(deps: DebugRoutesDeps, { version }: { readonly version: string }): Hono {
  const { router, transfers, pulls } = deps;
  const images = (): SharedImages => listSharedImages(deps.advertised(), deps.advertisedTags());
  const app = new Hono();
  app.get('/web', (c) => c.redirect('/debug/web/', 308));
  app.get('/web/', async (c) => {
    c.header('content-security-policy', DEBUG_PAGE_POLICY);
    c.header('x-content-type-options', 'nosniff');
    c.header('cache-control', 'no-store');
    return c.html(
      debugPage({
        version,
        self: router.self(),
        ready: router.ready(),
        peers: await router.peers(),
        images: images(),
        transfers: transfers.last(),
      }),
    );
  });
  app.get('/images', (c) => c.json(images()));
  app.get('/transfers', (c) => c.json({ transfers: transfers.last().map(transferJson) }));
  app.get('/pulls', (c) => c.json({ pulls: pulls.last().map(pullJson) }));
  let explanations = 0;
  app.get('/why', async (c) => {
    const question = { key: c.req.query('key') ?? '', name: c.req.query('name') };
    if (parseWhyQuestion(question) === undefined) {
      const error = 'key must be registry/repository:tag, or a digest, then name may be registry/repository';
      return c.json({ error }, 400);
    }
    if (explanations >= MAX_EXPLANATIONS) {
      return c.json({ error: 'too many questions at once; try again' }, 503);
    }
    explanations++;
    try {
      return c.json(await deps.why(question));
    } finally {
      explanations--;
    }
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

function pullJson({ startedAtMs, ...pull }: LoggedPull) {
  return { startedAt: new Date(startedAtMs).toISOString(), ...pull };
}

function transferJson({ startedAtMs, durationMs, ...transfer }: LoggedTransfer) {
  return { startedAt: new Date(startedAtMs).toISOString(), durationMs: Math.round(durationMs), ...transfer };
}
