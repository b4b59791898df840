import { Hono } from 'hono';
import type { RequestHandler } from '../http/http-server.ts';
import type { Logger } from '../observe/log.ts';

/** What the bootstrap listener answers; the router makes it. */
export interface BootstrapAnswers {
  /** GET /id: this node, as Spegel v0.7.4 reads it. */
  readonly id: unknown;
  /** GET /ids: this node and peers, as Spegel's successor reads it. */
  readonly ids: readonly unknown[];
}

/** The HTTP of --http-bootstrap-addr. */
export function createBootstrapApp(answers: () => Promise<BootstrapAnswers>, logger: Logger): RequestHandler {
  const app = new Hono();
  app.get('/id', async (c) => c.json((await answers()).id));
  app.get('/ids', async (c) => c.json((await answers()).ids));
  app.onError((error, c) => {
    logger.error('request failed', { path: c.req.path, error });
    return c.json({ error: 'internal error; see the log of this node' }, 500);
  });
  return (request) => app.fetch(request);
}
