import { asBuffer } from '../runtime/as-buffer.ts';
import { PeerRequestError, type PeerRequest } from './transport.ts';
import { MAX_HEAD_BYTES } from './limits.ts';
import type { PeerConnection } from './peer-connection.ts';
import { parsePeerResponseHead, type PeerResponseHead } from './peer-response-head.ts';

/** How long to wait for the head, and when to give up. */
export interface PeerExchangeOptions<T> {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Takes the head and the body bytes that came with it, and the connection, at once: no event of it may be missed. */
  readonly onHead: (head: PeerResponseHead, first: Uint8Array) => T;
}

/** The connection was closed before the first byte of the answer: on a connection that was used before, the request can be sent again. */
export class NoAnswerError extends PeerRequestError {}

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Headers that belong to the connection, not to the caller. No coding is accepted: the bytes must be the blob's. */
const OWN_HEADERS = new Set([
  'host',
  'connection',
  'accept-encoding',
  'content-length',
  'transfer-encoding',
  'te',
  'upgrade',
  'expect',
]);

/** The request as it goes over the wire; throws a TypeError for a path or header that would not arrive as it is. */
export function formatPeerRequest({ method, host, port, path, headers }: PeerRequest): string {
  if (!/^\/[\x21-\x7e]*$/.test(path)) {
    throw new TypeError(`Cannot ask a peer for path ${JSON.stringify(path.slice(0, 200))}`);
  }
  const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  let text = `${method} ${path} HTTP/1.1\r\nHost: ${authority}\r\nAccept-Encoding: identity\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    if (!TOKEN.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new TypeError(`Cannot send header ${JSON.stringify(name.slice(0, 200))} to a peer`);
    }
    if (!OWN_HEADERS.has(name.toLowerCase())) text += `${name}: ${value}\r\n`;
  }
  return `${text}\r\n`;
}

/** Sends a request, reads the answer's head, and resolves with what onHead made of it. Rejects with PeerRequestError; the connection is then closed. */
export function exchangeWithPeer<T>(
  connection: PeerConnection,
  request: string,
  { timeoutMs, signal, onHead }: PeerExchangeOptions<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const release = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: PeerRequestError) => {
      release();
      connection.destroy();
      reject(error);
    };
    const onAbort = () =>
      fail(
        new PeerRequestError('CANCELLED', 'The request to the peer was cancelled', { cause: signal.reason }),
      );
    const timer = setTimeout(
      () =>
        fail(new PeerRequestError('HEAD_TIMEOUT', `The peer sent no response head within ${timeoutMs} ms`)),
      timeoutMs,
    );
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });

    connection.owner = {
      onData(chunk) {
        received = received.length === 0 ? asBuffer(chunk) : Buffer.concat([received, chunk]);
        const end = received.subarray(0, MAX_HEAD_BYTES).indexOf(END_OF_HEAD);
        if (end === -1 && received.length < MAX_HEAD_BYTES) return;
        const head = end === -1 ? undefined : parsePeerResponseHead(received.toString('latin1', 0, end));
        if (head === undefined) {
          fail(new PeerRequestError('INVALID_RESPONSE', describeInvalid(received, end)));
          return;
        }
        release();
        resolve(onHead(head, received.subarray(end + END_OF_HEAD.length)));
      },
      onClose(cause) {
        const ErrorClass = received.length === 0 ? NoAnswerError : PeerRequestError;
        fail(
          new ErrorClass('CONNECTION_LOST', 'The peer closed the connection before its answer', { cause }),
        );
      },
    };
    connection.resume();
    connection.send(request);
  });
}

function describeInvalid(received: Buffer, end: number): string {
  if (end === -1) return `The peer's response head is longer than ${MAX_HEAD_BYTES} bytes`;
  return `The peer sent no valid HTTP/1.1 response: ${JSON.stringify(received.toString('latin1', 0, Math.min(end, 100)))}`;
}
