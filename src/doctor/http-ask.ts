import type { TargetTls } from './target-tls.ts';

/**
 * Asks `host:port` and returns the status, over plain HTTP, or over TLS if it is said how. Rejects with an Error whose
 * message says what happened: nobody listens, no answer in time, a certificate that does not count.
 */
export type HttpAsk = (
  endpoint: string,
  request: {
    readonly method: 'GET' | 'HEAD';
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly tls?: TargetTls | undefined;
  },
) => Promise<{ readonly status: number }>;
