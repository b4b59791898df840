import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { answerRequest } from './answer-request.ts';
import type { HttpServer, HttpServerOptions } from './http-server.ts';
import {
  CLIENT_SEND_BUFFER_BYTES,
  CLOSE_FLUSH_MS,
  CONNECTIONS_CHECK_INTERVAL_MS,
  HEAD_RECEIVE_TIMEOUT_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  MAX_CONNECTIONS,
  MAX_HEADER_COUNT,
  MAX_HEAD_BYTES,
  MAX_PIPELINED_REQUESTS,
  MAX_REQUESTS_PER_CONNECTION,
  RESPONSE_HIGH_WATER_BYTES,
} from './limits.ts';
import { lingerClose } from './linger-close.ts';
import { listen } from './listen.ts';
import { parseListenAddress } from '../runtime/listen-address.ts';
import { boundSendBuffers } from './socket-buffers.ts';
import { createTlsListener } from './tls-listener.ts';
import type { PlainClientResponse } from './plain-client-response.ts';

/** What is known of one client connection. */
interface Connection {
  /** Requests that wait for the one before them, or are being answered. */
  queued: number;
  /** Settles when the last of them is answered. */
  tail: Promise<void>;
  /** The response that is under way. */
  current: PlainClientResponse | undefined;
  /** Requests so far. */
  requests: number;
  /** Ended with FIN: further requests on it are dropped. */
  closing: boolean;
}

/** Limits that tests shorten; the defaults with their reasons are in limits.ts. */
export interface PlainHttpServerLimits {
  readonly headReceiveTimeoutMs?: number | undefined;
  readonly keepAliveTimeoutMs?: number | undefined;
  readonly connectionsCheckIntervalMs?: number | undefined;
  readonly maxConnections?: number | undefined;
  readonly maxRequestsPerConnection?: number | undefined;
  readonly clientStallTimeoutMs?: number | undefined;
}

/** Listens and answers over node:http; moves the sources of createPlainMover. Rejects if the address is malformed (TypeError) or cannot be had. */
export async function createHttpServer({
  address,
  handler,
  onError,
  tls,
  headReceiveTimeoutMs = HEAD_RECEIVE_TIMEOUT_MS,
  keepAliveTimeoutMs = KEEP_ALIVE_TIMEOUT_MS,
  connectionsCheckIntervalMs = CONNECTIONS_CHECK_INTERVAL_MS,
  maxConnections = MAX_CONNECTIONS,
  maxRequestsPerConnection = MAX_REQUESTS_PER_CONNECTION,
  clientStallTimeoutMs,
}: HttpServerOptions & PlainHttpServerLimits): Promise<HttpServer> {
  const listenAddress = parseListenAddress(address);
  const connections = new Map<Socket, Connection>();
  let stopping = false;

  const server = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: headReceiveTimeoutMs,
    requestTimeout: headReceiveTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: connectionsCheckIntervalMs,
    highWaterMark: RESPONSE_HIGH_WATER_BYTES,
    noDelay: true,
    insecureHTTPParser: false,
  });
  server.maxHeadersCount = MAX_HEADER_COUNT;

  server.on('connection', (socket: Socket) => {
    if (connections.size >= maxConnections) {
      socket.destroy();
      return;
    }
    connections.set(socket, {
      requests: 0,
      queued: 0,
      tail: Promise.resolve(),
      current: undefined,
      closing: false,
    });
    socket.on('error', () => {});
    socket.once('close', () => connections.delete(socket));
  });

  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    const connection = connections.get(socket);
    if (connection === undefined || connection.closing) return;
    connection.requests += 1;
    const last = connection.requests >= maxRequestsPerConnection;
    connection.queued += 1;
    if (connection.queued > MAX_PIPELINED_REQUESTS) {
      connection.closing = true;
      socket.destroy();
      return;
    }
    connection.tail = connection.tail.then(async () => {
      if (!connection.closing && !socket.destroyed) {
        const { reusable } = await answerRequest(request, response, {
          handler,
          onError,
          clientStallTimeoutMs,
          lastOnConnection: stopping || last,
          onBegin: (client) => {
            connection.current = client;
          },
        });
        connection.current = undefined;
        connection.closing ||= !reusable;
      }
      connection.queued -= 1;
    });
  };
  server.on('request', onRequest);
  // Without these listeners node would send "100 Continue", or switch protocols, on its own.
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  server.on('clientError', (error: NodeJS.ErrnoException, stream) =>
    refuseMalformed(error, stream as Socket),
  );

  const refuseMalformed = (error: NodeJS.ErrnoException, socket: Socket) => {
    const connection = connections.get(socket);
    const busy = connection !== undefined && connection.queued > 0;
    if (connection !== undefined) connection.closing ||= !busy;
    if (busy || !socket.writable) {
      // In the middle of a response nothing else may be said on this connection.
      socket.destroy();
      return;
    }
    socket.write(`HTTP/1.1 ${statusOf(error)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    lingerClose(socket, CLOSE_FLUSH_MS);
  };

  const secure =
    tls === undefined
      ? undefined
      : createTlsListener(server, {
          tls,
          maxConnections,
          handshakeTimeoutMs: headReceiveTimeoutMs,
          idleTimeoutMs: keepAliveTimeoutMs,
        });
  const listener = secure?.listener ?? server;
  await listen(listener, listenAddress);
  listener.on('error', onError);
  const { port } = listener.address() as AddressInfo;
  boundSendBuffers(port, CLIENT_SEND_BUFFER_BYTES);

  const close = async (graceMs: number) => {
    stopping = true;
    const closed = new Promise<void>((resolve) => {
      listener.close(() => resolve());
    });
    for (const [socket, { queued }] of connections) if (queued === 0) socket.destroy();
    const within = (ms: number) =>
      Promise.race([
        Promise.all(Array.from(connections.values(), ({ tail }) => tail)),
        new Promise((resolve) => {
          setTimeout(resolve, ms).unref();
        }),
      ]);
    await within(graceMs);
    for (const { current } of connections.values()) current?.breakOff();
    await within(CLOSE_FLUSH_MS);
    for (const socket of connections.keys()) socket.destroy();
    secure?.destroyConnections();
    await closed;
  };

  return {
    port,
    close,
    replaceTls(other) {
      if (secure === undefined) throw new Error('Cannot replace the certificates of a listener without TLS');
      secure.listener.setSecureContext(other);
    },
    [Symbol.asyncDispose]: () => close(0),
  };
}

function statusOf({ code }: NodeJS.ErrnoException): string {
  if (code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return '408 Request Timeout';
  return '400 Bad Request';
}
