import { lookup } from 'node:dns/promises';
import { DaemonError } from './daemon-error.ts';
import { PeerRequestError, type SmallPeerAnswer } from '../http/transport.ts';
import { createBufferedClient } from '../http/buffered-client.ts';
import { parseEndpoint } from './endpoint.ts';

/** A request to a listener of spegel. */
export interface EndpointRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A daemon on this machine answers in a millisecond; another one over the network may take some. */
const CONNECT_TIMEOUT_MS = 2000;
/** Most bytes of an answer: 10,000 peers at 500 bytes each. */
const MAX_ANSWER_BYTES = 5_000_000;

/**
 * Asks the running spegel at `addr`, its metrics address, and returns the JSON it answers with. Throws DaemonError, for a 404
 * with the text `absent` if there is one. It never goes through a proxy.
 */
export async function askDaemon(
  addr: string,
  path: string,
  timeoutMs: number,
  { absent }: { readonly absent?: string } = {},
): Promise<unknown> {
  const answer = await askEndpoint(addr, { method: 'GET', path }, timeoutMs);
  const { status, bytes } = answer;
  const text = new TextDecoder().decode(bytes);
  if (status === 404) {
    throw new DaemonError(
      absent ??
        `What answers at ${addr} has no ${path.split('?')[0]}: set --addr to the --metrics-addr of a running spegel`,
    );
  }
  const retryAfter = answer.header('retry-after') ?? '';
  if ((status === 429 || status === 503) && /^\d{1,4}$/.test(retryAfter)) {
    const why = status === 429 ? 'was asked this too often' : 'is busy with other such questions';
    throw new DaemonError(`spegel at ${addr} ${why}: try again in ${retryAfter} s`);
  }
  if (status !== 200) {
    throw new DaemonError(`spegel at ${addr} answered ${status}: ${text.trim().slice(0, 300)}`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DaemonError(`What answers at ${addr} is no spegel: its answer is no JSON`, { cause: error });
  }
}

/** Asks whatever listens at `addr`. Throws DaemonError when nothing answers; any status is an answer. */
export async function askEndpoint(
  addr: string,
  { method, path, headers = {} }: EndpointRequest,
  timeoutMs: number,
): Promise<SmallPeerAnswer> {
  const { host, port } = parseEndpoint(addr);
  const transport = createBufferedClient();
  const ask = async (address: string) =>
    transport.requestSmall(
      {
        method,
        host: address,
        port,
        path,
        headers: { ...headers, host: addr.startsWith(':') ? `localhost${addr}` : addr },
      },
      {
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        headTimeoutMs: timeoutMs,
        signal: AbortSignal.timeout(timeoutMs),
        maxBytes: MAX_ANSWER_BYTES,
      },
    );
  try {
    const [first, ...others] = await lookup(host, { all: true });
    let answer = ask(first?.address ?? host);
    // A name has several addresses (localhost is ::1 too), and the daemon may listen on one of them only.
    for (const { address } of others) {
      answer = answer.catch(async (error: unknown) => {
        if (isConnectError(error)) return ask(address);
        throw error;
      });
    }
    return await answer;
  } catch (error) {
    throw new DaemonError(describe(addr, error, timeoutMs), { cause: error });
  } finally {
    await transport.close();
  }
}

function isConnectError(error: unknown): boolean {
  return error instanceof PeerRequestError && error.code.startsWith('CONNECT_');
}

function describe(addr: string, error: unknown, timeoutMs: number): string {
  if (error instanceof PeerRequestError && error.code === 'CANCELLED') {
    return `What listens at ${addr} has not answered within ${timeoutMs / 1000} s: it hangs, or is very busy`;
  }
  if (error instanceof PeerRequestError && !isConnectError(error)) {
    return `What listens at ${addr} gave no usable answer: ${error.message}`;
  }
  return `No spegel answers at ${addr}: is it running? Set --addr to its --metrics-addr`;
}
