import type { HttpAsk } from '../doctor/http-ask.ts';
import { PeerRequestError } from '../http/transport.ts';
import { askHttps } from '../http/ask-https.ts';
import { DaemonError } from './daemon-error.ts';
import { askEndpoint } from './daemon-client.ts';
import { parseEndpoint } from './endpoint.ts';

/** Everything that is asked is on this node or one hop away. */
const TIMEOUT_MS = 3000;

/** Asks a mirror, of this node or of another. Its errors name no flag, as the port is not that of the metrics. */
export const askTarget: HttpAsk = async (endpoint, { tls, ...request }) => {
  if (tls === undefined) {
    return askEndpoint(endpoint, request, TIMEOUT_MS).catch((error: unknown) => {
      throw error instanceof DaemonError ? new Error(reasonOf(error), { cause: error }) : error;
    });
  }
  const { ca, client, skipVerify } = tls;
  const identity = { ca, cert: client?.certificate, key: client?.key, skipVerify };
  return { status: await askHttps({ ...parseEndpoint(endpoint), ...request }, identity, TIMEOUT_MS) };
};

function reasonOf({ cause, message }: DaemonError): string {
  if (!(cause instanceof PeerRequestError)) return cause instanceof Error ? cause.message : message;
  const { code } = (cause.cause ?? {}) as { readonly code?: unknown };
  return cause.code === 'CONNECT_FAILED' && code === 'ECONNREFUSED' ? 'connection refused' : cause.message;
}
