import type { Transport } from '../http/transport.ts';
import type { HttpServerOptions, RequestHandler } from '../http/http-server.ts';
import type { NodeProcess } from './node-process.ts';

/** Options of listen(). */
export interface ListenOptions extends Pick<
  HttpServerOptions,
  'address' | 'maxConnections' | 'maxBodyBytes' | 'clientStallTimeoutMs'
> {
  /** What it is called in the log. */
  readonly name: string;
  /** How long running answers may take to finish at the end, in ms. */
  readonly graceMs: number;
  readonly transport: Transport;
}

/** Serves at an address until the process ends. Rejects when the port is taken. */
export async function listen(
  { logger, running }: Pick<NodeProcess, 'logger' | 'running'>,
  { name, graceMs, transport, ...limits }: ListenOptions,
  handler: RequestHandler,
): Promise<void> {
  const onError = (error: unknown) => logger.error('listener failed', { listener: name, error });
  const server = await transport.serve({ ...limits, handler, onError });
  running.defer(() => server.close(graceMs));
  logger.info('listening', { listener: name, address: limits.address, port: server.port });
}
