import { lockHosts } from '../mirror-config/hosts-lock.ts';
import { type RestoredHosts, restoreHosts } from '../mirror-config/hosts-restore.ts';
import { createHttpServer } from '../http/buffered-http-server.ts';
import type { Logger } from '../observe/log.ts';
import { aborted } from '../runtime/abortable.ts';

/** What `spegel cleanup` is told. */
export interface CleanupOptions {
  /** Where to answer GET /readyz, as parseListenAddress reads it. */
  readonly addr: string;
  readonly configPath: string;
}

/** How long answers that are under way may take once the command is asked to end. */
const CLOSE_GRACE_MS = 1000;

/**
 * Restores what `configure` changed, then answers GET /readyz with 200 until the signal aborts: that is how
 * `cleanup-wait` knows. Throws HostsConfigError, and what listening throws.
 */
export async function runCleanup(
  { addr, configPath }: CleanupOptions,
  context: {
    readonly logger: Logger;
    readonly signal: AbortSignal;
    /** Called with the port once it answers. */
    readonly onListening?: (port: number) => void;
  },
): Promise<void> {
  const { logger, signal, onListening } = context;
  const { changes, hadBackup, conflicts } = await restoreLocked(configPath);
  for (const { what, path } of changes) logger.info('restored', { what, path });
  for (const path of conflicts) {
    logger.warn('cannot restore beside what is there now; _backup is kept', { path });
  }
  logger.info("containerd's configuration is clean", { path: configPath, hadBackup });

  await using server = await createHttpServer({
    address: addr,
    handler: ({ url, method }) => {
      const isProbe = new URL(url).pathname === '/readyz' && (method === 'GET' || method === 'HEAD');
      return new Response(null, { status: isProbe ? 200 : 404, headers: { 'content-length': '0' } });
    },
    onError: (error) => logger.error('cannot answer a probe', { error }),
  });
  logger.info('waiting to be stopped', { addr, port: server.port });
  onListening?.(server.port);
  await aborted(signal);
  await server.close(CLOSE_GRACE_MS);
}

async function restoreLocked(configPath: string): Promise<RestoredHosts> {
  await using _lock = await lockHosts(configPath, { make: false });
  return await restoreHosts(configPath);
}
