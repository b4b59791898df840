import { connect, rootCertificates } from 'node:tls';

/** A request whose answer's body is not wanted. */
export interface HttpsRequest {
  /** Name or IP address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly method: 'GET' | 'HEAD';
  /** Path and query, as sent. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How to check the server, and what to show it. PEM texts. */
export interface HttpsIdentity {
  /** Authorities; empty: those of the runtime. */
  readonly ca: readonly string[];
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Takes any certificate. */
  readonly skipVerify: boolean;
}

/** Longer than any status line with the headers before a body. */
const MAX_HEAD_BYTES = 64 * 1024;

/**
 * Asks a server over TLS on a connection of its own, never through a proxy, and returns the status. Rejects with an Error
 * that says what happened.
 */
export function askHttps(request: HttpsRequest, identity: HttpsIdentity, timeoutMs: number): Promise<number> {
  const { host, port, method, path, headers = {} } = request;
  const name = host.includes(':') ? `[${host}]` : host;
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${name}:${port}`,
    'Connection: close',
    ...Object.entries(headers).map(([key, value]) => `${key}: ${value}`),
  ];
  if (lines.some((line) => /[\r\n]/.test(line))) {
    return Promise.reject(new TypeError(`Cannot ask ${name}:${port}: a line break in the request`));
  }
  return new Promise((resolve, reject) => {
    const { ca, cert, key, skipVerify } = identity;
    const socket = connect({
      host,
      port,
      // A server name is no address (RFC 6066).
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
      ca: ca.length > 0 ? [...ca] : [...rootCertificates],
      ...(cert === undefined ? {} : { cert, key }),
      rejectUnauthorized: !skipVerify,
      ALPNProtocols: ['http/1.1'],
    });
    const timer = setTimeout(() => end(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    let head = '';
    const end = (result: number | Error) => {
      clearTimeout(timer);
      socket.destroy();
      if (typeof result === 'number') resolve(result);
      else reject(result);
    };
    socket.on('secureConnect', () => socket.write(`${lines.join('\r\n')}\r\n\r\n`));
    socket.on('data', (chunk: Buffer) => {
      head += chunk.toString('latin1');
      const status = /^HTTP\/1\.[01] ([1-5]\d\d)[ \r]/.exec(head)?.[1];
      if (status !== undefined) end(Number(status));
      else if (head.length > MAX_HEAD_BYTES || head.includes('\n')) {
        end(new Error('what answers speaks no HTTP/1.1'));
      }
    });
    socket.on('error', (error: Error) => end(error));
    socket.on('close', () => end(new Error('the connection was closed without an answer')));
  });
}
