import { createHttpServer } from '../http/buffered-http-server.ts';
import type { RequestHandler } from '../http/http-server.ts';
import type { Logger } from '../observe/log.ts';
import { type BootstrapTls, readTlsFolder } from '../bootstrap/tls-folder.ts';
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
 * Serves the bootstrap documents until it is disposed. Certificates that change are taken over within 30 s.
 * Rejects when the address or the certificates cannot be used.
 */
export async function serveBootstrap(
  { logger, clock, handler }: ServeBootstrapDeps,
  { address, certDir }: ServeBootstrapOptions,
): Promise<AsyncDisposable & { readonly port: number }> {
  let tls = certDir === undefined ? undefined : await readTlsFolder(certDir);
  const server = await createHttpServer({
    address,
    handler,
    tls,
    onError: (error) => logger.error('listener failed', { listener: 'bootstrap', error }),
  });
  logger.info('listening', { listener: 'bootstrap', address, port: server.port, tls: tls !== undefined });
  const stopped = new AbortController();

  const follow = async (folder: string) => {
    for (;;) {
      await clock.sleep(CERTIFICATE_CHECK_INTERVAL_MS, stopped.signal);
      try {
        const found = await readTlsFolder(folder);
        if (isSame(found, tls)) continue;
        server.replaceTls(found);
        tls = found;
        logger.info('New certificates are in use', { listener: 'bootstrap', folder });
      } catch (error) {
        logger.warn('Cannot use the new certificates yet', { listener: 'bootstrap', folder, error });
      }
    }
  };
  const following = certDir === undefined ? undefined : follow(certDir).catch(() => {});
  return {
    port: server.port,
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('The listener has closed'));
      await following;
      await server.close(GRACE_MS);
    },
  };
}

function isSame(a: BootstrapTls, b: BootstrapTls | undefined): boolean {
  return a.ca === b?.ca && a.cert === b.cert && a.key === b.key;
}
