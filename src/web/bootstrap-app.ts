import { Hono } from 'hono';
import type { ClientRequest } from '../http/http-server.ts';
import { toRequest } from '../http/to-request.ts';
import type { Logger } from '../observe/log.ts';

/** What the bootstrap listener answers; the router makes it. */
export interface BootstrapAnswers {
  /** GET /id: this node, as Spegel v0.7.4 reads it. */
  readonly id: unknown;
  /** GET /ids: this node and peers, as Spegel's successor reads it. */
  readonly ids: readonly unknown[];
}

/** The HTTP of --http-bootstrap-addr: 503 as long as there is no answer, while the router starts. */
export function createBootstrapApp(
  answers: () => Promise<BootstrapAnswers | undefined>,
  logger: Logger,
): (request: ClientRequest) => Promise<Response> | Response {
  const app = new Hono();
  for (const name of ['id', 'ids'] as const) {
    app.get(`/${name}`, async (c) => {
      const answer = (await answers())?.[name];
      return answer === undefined
        ? c.json({ error: 'the router is starting; try again' }, 503)
        : c.json(answer);
    });
  }
  app.onError((error, c) => {
    logger.error('request failed', { path: c.req.path, error });
    return c.json({ error: 'internal error; see the log of this node' }, 500);
  });
  return (request) => app.fetch(toRequest(request));
}
