import { parseListenAddress } from '../runtime/listen-address.ts';
import { readDescriptorLimit } from '../runtime/descriptor-limit.ts';
import type { HttpServer, HttpServerOptions } from './http-server.ts';
import type { KernelMover } from './kernel/kernel-mover.ts';
import type { ByteConnection } from './server/byte-connection.ts';
import { createConnectionTable } from './server/connection-table.ts';
import { createHttpConnection } from './server/http-connection.ts';
import { createSendBuffers } from './server/send-buffers.ts';
import { listenTcp } from './server/tcp-listener.ts';
import { listenTls } from './server/tls-listener.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** How long a client may take to send a head. A head fits in one packet, so this is generous; it ends slow-loris attacks. */
const HEAD_RECEIVE_TIMEOUT_MS = 10 * SECOND_MS;
/** How often that is looked at: it is late by at most this. Each listener wakes the process so often, also an idle one. */
const CONNECTIONS_CHECK_INTERVAL_MS = 5 * SECOND_MS;
/** How long an idle connection is kept for a client's next request. Longer than PEER_IDLE_TIMEOUT_MS, so that the client closes first. */
const KEEP_ALIVE_TIMEOUT_MS = 75 * SECOND_MS;
/** Most connections at once: containerd opens a few per pull, each peer a few more. Each idle one costs some KiB. */
const MAX_CONNECTIONS = 1024;
/** With few descriptors there is room for so many connections all the same: a pull of this node's and its probes. */
const MIN_CONNECTIONS = 16;
/** Most requests on one connection. It bounds what is left behind by one, and what one burst of pipelined requests can ask for. */
const MAX_REQUESTS_PER_CONNECTION = 1000;
/** A client that takes no byte of a body for this long is gone. The time after which kubelet gives up on a pull without progress. */
const CLIENT_STALL_TIMEOUT_MS = 5 * MINUTE_MS;
/** How long the last bytes of broken-off responses get when a server closes. */
const CLOSE_FLUSH_MS = 250;

/** Limits that tests shorten. */
export interface BufferedHttpServerLimits extends Pick<
  HttpServerOptions,
  'maxConnections' | 'maxBodyBytes' | 'clientStallTimeoutMs'
> {
  /** Moves bodies; without it all are moved through this process's memory. */
  readonly kernel?: Pick<KernelMover, 'begin' | 'hasRoom' | 'memoryShare' | 'minBytes'> | undefined;
  readonly headReceiveTimeoutMs?: number | undefined;
  readonly keepAliveTimeoutMs?: number | undefined;
  readonly connectionsCheckIntervalMs?: number | undefined;
  readonly maxRequestsPerConnection?: number | undefined;
}

/** Listens and answers; moves the sources of createBufferedClient. Rejects if the address is malformed (TypeError) or cannot be had. */
export async function createHttpServer({
  address,
  handler,
  onError,
  tls,
  kernel,
  headReceiveTimeoutMs = HEAD_RECEIVE_TIMEOUT_MS,
  keepAliveTimeoutMs = KEEP_ALIVE_TIMEOUT_MS,
  connectionsCheckIntervalMs = CONNECTIONS_CHECK_INTERVAL_MS,
  maxConnections = roomForConnections(readDescriptorLimit()),
  maxBodyBytes = 0,
  maxRequestsPerConnection = MAX_REQUESTS_PER_CONNECTION,
  clientStallTimeoutMs = CLIENT_STALL_TIMEOUT_MS,
}: HttpServerOptions & BufferedHttpServerLimits): Promise<HttpServer> {
  const listenAddress = parseListenAddress(address);
  const table = createConnectionTable({
    maxConnections,
    headReceiveTimeoutMs,
    keepAliveTimeoutMs,
    checkIntervalMs: Math.min(connectionsCheckIntervalMs, headReceiveTimeoutMs, keepAliveTimeoutMs),
  });
  const bodies = createSendBuffers(kernel?.memoryShare);
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
      kernel,
      maxRequests: maxRequestsPerConnection,
      clientStallTimeoutMs,
      maxBodyBytes,
      bodyTimeoutMs: headReceiveTimeoutMs,
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
