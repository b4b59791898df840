import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { ServerTls } from './http-server.ts';

/** Limits of createTlsListener. */
export interface TlsListenerOptions {
  readonly tls: ServerTls;
  /** For the handshake: until it is done, anybody may be there. */
  readonly handshakeTimeoutMs: number;
  /** A connection on which nothing moves for this long is closed. */
  readonly idleTimeoutMs: number;
  /** Connections in their handshake or after it. */
  readonly maxConnections: number;
}

/** A TLS listener before an HTTP server. */
export interface TlsListener {
  readonly listener: Server;
  /** Ends all connections, also those in their handshake. */
  destroyConnections(): void;
}

/**
 * A listener that lets in who shows a certificate of tls.ca, and hands the connection to the HTTP server.
 * Not node:https: under Bun it tells of a connection after its handshake only, and lets that take for ever.
 */
export function createTlsListener(
  server: HttpServer,
  { tls, handshakeTimeoutMs, idleTimeoutMs, maxConnections }: TlsListenerOptions,
): TlsListener {
  const open = new Set<Socket>();
  const listener = createServer(
    { ...tls, requestCert: true, rejectUnauthorized: true, handshakeTimeout: handshakeTimeoutMs },
    (socket: TLSSocket) => {
      socket.setTimeout(idleTimeoutMs, () => socket.destroy());
      server.emit('connection', socket);
    },
  );
  listener.on('connection', (socket: Socket) => {
    socket.on('error', () => {});
    if (open.size >= maxConnections) {
      socket.destroy();
      return;
    }
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  listener.on('tlsClientError', (_error, socket) => socket.destroy());
  return {
    listener,
    destroyConnections() {
      for (const socket of open) socket.destroy();
    },
  };
}
