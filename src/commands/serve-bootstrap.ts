import { createHttpServer } from '../http/plain-http-server.ts';
import type { HttpServer, RequestHandler } from '../http/http-server.ts';
import type { Logger } from '../observe/log.ts';
import { type BootstrapTls, readTlsFolder } from '../p2p/tls-folder.ts';
import type { Clock } from '../runtime/clock.ts';

/** How long running answers may take when the listener closes. They are a few KB. */
const GRACE_MS = 1000;
/** How often certificates are looked at. They are renewed days before they end. */
const CERTIFICATE_CHECK_INTERVAL_MS = 30 * 1000;

/** What serveBootstrap needs. */
export interface ServeBootstrapDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly handler: RequestHandler;
}

/** Where to serve. */
export interface ServeBootstrapOptions {
  /** --http-bootstrap-addr. */
  readonly address: string;
  /** --http-bootstrap-cert-dir: serves over TLS to those with a certificate of ca.crt. Default plain HTTP. */
  readonly certDir?: string | undefined;
}

/**
 * Serves the bootstrap documents until it is disposed. With certificates it listens anew when they have changed.
 * Rejects when the address or the certificates cannot be used.
 */
export async function serveBootstrap(
  { logger, clock, handler }: ServeBootstrapDeps,
  { address, certDir }: ServeBootstrapOptions,
): Promise<AsyncDisposable> {
  const onError = (error: unknown) => logger.error('listener failed', { listener: 'bootstrap', error });
  const listen = async (tls: BootstrapTls | undefined, where = address) => {
    const server = await createHttpServer({ address: where, handler, onError, tls });
    const { port } = server;
    logger.info('listening', { listener: 'bootstrap', address, port, tls: tls !== undefined });
    return server;
  };
  const stopped = new AbortController();
  let tls = certDir === undefined ? undefined : await readTlsFolder(certDir);
  let server: HttpServer | undefined = await listen(tls);
  const fixed = address.replace(/:0$/, `:${server.port}`);

  const follow = async (folder: string) => {
    while (!stopped.signal.aborted) {
      await clock.sleep(CERTIFICATE_CHECK_INTERVAL_MS, stopped.signal);
      try {
        const found = await readTlsFolder(folder);
        if (server !== undefined && isSame(found, tls)) continue;
        await server?.close(GRACE_MS);
        server = undefined;
        server = await listen(found, fixed);
        tls = found;
      } catch (error) {
        logger.warn('Cannot take over new certificates, trying again', { folder, error });
      }
    }
  };
  const following = certDir === undefined ? undefined : follow(certDir).catch(() => {});
  return {
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('The listener has closed'));
      await following;
      await server?.close(GRACE_MS);
    },
  };
}

function isSame(a: BootstrapTls, b: BootstrapTls | undefined): boolean {
  return a.ca === b?.ca && a.cert === b.cert && a.key === b.key;
}
