import { parseListenAddress } from '../runtime/listen-address.ts';
import { readDescriptorLimit } from '../runtime/descriptor-limit.ts';
import type { HttpServer, HttpServerOptions } from './http-server.ts';
import {
  CLIENT_STALL_TIMEOUT_MS,
  CLOSE_FLUSH_MS,
  CONNECTIONS_CHECK_INTERVAL_MS,
  HEAD_RECEIVE_TIMEOUT_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  MAX_CONNECTIONS,
  MAX_REQUESTS_PER_CONNECTION,
  MIN_CONNECTIONS,
} from './limits.ts';
import type { ByteConnection } from './server/byte-connection.ts';
import { createConnectionTable } from './server/connection-table.ts';
import { createHttpConnection } from './server/http-connection.ts';
import { createSendBuffers } from './server/send-buffers.ts';
import { listenTcp } from './server/tcp-listener.ts';
import { listenTls } from './server/tls-listener.ts';

/** Limits that tests shorten; the defaults with their reasons are in limits.ts. */
export interface PlainHttpServerLimits {
  readonly headReceiveTimeoutMs?: number | undefined;
  readonly keepAliveTimeoutMs?: number | undefined;
  readonly connectionsCheckIntervalMs?: number | undefined;
  readonly maxConnections?: number | undefined;
  readonly maxRequestsPerConnection?: number | undefined;
  readonly clientStallTimeoutMs?: number | undefined;
}

/** Listens and answers; moves the sources of createPlainMover. Rejects if the address is malformed (TypeError) or cannot be had. */
export async function createHttpServer({
  address,
  handler,
  onError,
  tls,
  headReceiveTimeoutMs = HEAD_RECEIVE_TIMEOUT_MS,
  keepAliveTimeoutMs = KEEP_ALIVE_TIMEOUT_MS,
  connectionsCheckIntervalMs = CONNECTIONS_CHECK_INTERVAL_MS,
  maxConnections = roomForConnections(readDescriptorLimit()),
  maxRequestsPerConnection = MAX_REQUESTS_PER_CONNECTION,
  clientStallTimeoutMs = CLIENT_STALL_TIMEOUT_MS,
}: HttpServerOptions & PlainHttpServerLimits): Promise<HttpServer> {
  const listenAddress = parseListenAddress(address);
  const table = createConnectionTable({
    maxConnections,
    headReceiveTimeoutMs,
    keepAliveTimeoutMs,
    checkIntervalMs: Math.min(connectionsCheckIntervalMs, headReceiveTimeoutMs, keepAliveTimeoutMs),
  });
  const bodies = createSendBuffers();
  let stopping = false;

  const onConnection = (connection: ByteConnection) => {
    if (stopping || !table.admits(connection.remoteAddress)) {
      connection.close();
      return;
    }
    const http = createHttpConnection(connection, {
      handler,
      onError,
      onClose: () => table.delete(http),
      bodies,
      maxRequests: maxRequestsPerConnection,
      clientStallTimeoutMs,
    });
    table.add(http);
  };

  const secure =
    tls === undefined
      ? undefined
      : await listenTls(
          listenAddress,
          {
            tls,
            handshakeTimeoutMs: headReceiveTimeoutMs,
            idleTimeoutMs: keepAliveTimeoutMs,
            maxConnections,
            onError,
          },
          onConnection,
        );
  const listener = secure ?? (await listenTcp(listenAddress, onConnection));

  const close = async (graceMs: number) => {
    stopping = true;
    listener.stop();
    for (const connection of table) connection.endWhenIdle();
    const within = async (ms: number) => {
      let timer: Timer | undefined;
      await Promise.race([
        Promise.all(Array.from(table, (connection) => connection.idle())),
        new Promise((resolve) => {
          timer = setTimeout(resolve, ms);
        }),
      ]);
      clearTimeout(timer);
    };
    await within(graceMs);
    for (const connection of table) connection.breakOff();
    await within(CLOSE_FLUSH_MS);
    for (const connection of table) connection.close();
    secure?.destroyConnections();
  };

  return {
    port: listener.port,
    close,
    replaceTls(other) {
      if (secure === undefined) throw new Error('Cannot replace the certificates of a listener without TLS');
      secure.replaceTls(other);
    },
    [Symbol.asyncDispose]: () => close(0),
  };
}

/**
 * How many connections leave descriptors for the rest: a quarter of all, because a body takes another descriptor or two,
 * and other listeners and the router have theirs. When none is left the runtime asks for the next connection without end.
 */
function roomForConnections(descriptors: number): number {
  return Math.min(MAX_CONNECTIONS, Math.max(MIN_CONNECTIONS, Math.floor(descriptors / 4)));
}
