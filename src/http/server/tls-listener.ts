import type { AddressInfo, Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { copyBytes } from '../../runtime/copy-bytes.ts';
import type { ListenAddress } from '../../runtime/listen-address.ts';
import type { ServerTls } from '../http-server.ts';
import { type ByteConnection, type ByteListener, NO_OWNER } from './byte-connection.ts';
import { listenAt } from './listen-at.ts';

/** Options of listenTls. */
export interface TlsListenerOptions {
  readonly tls: ServerTls;
  /** For the handshake: until it is done, anybody may be there. */
  readonly handshakeTimeoutMs: number;
  /** A connection on which nothing moves for this long is closed. */
  readonly idleTimeoutMs: number;
  /** Connections in their handshake or after it. */
  readonly maxConnections: number;
  readonly onError: (error: unknown) => void;
}

/** A listener with certificates. */
export interface TlsListener extends ByteListener {
  /** Takes other certificates for the connections to come. Throws if they cannot be used. */
  replaceTls(tls: ServerTls): void;
  /** Ends all connections, also those in their handshake. */
  destroyConnections(): void;
}

/**
 * Listens, and lets in who shows a certificate of tls.ca. Rejects like listenTcp, and for certificates that cannot be
 * used.
 */
export async function listenTls(
  address: ListenAddress,
  { tls, handshakeTimeoutMs, idleTimeoutMs, maxConnections, onError }: TlsListenerOptions,
  onConnection: (connection: ByteConnection) => void,
): Promise<TlsListener> {
  const open = new Set<Socket>();
  const server = createServer(
    { ...tls, requestCert: true, rejectUnauthorized: true, handshakeTimeout: handshakeTimeoutMs },
    (socket: TLSSocket) => {
      socket.setTimeout(idleTimeoutMs, () => socket.destroy());
      onConnection(createConnection(socket));
    },
  );
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => {});
    if (open.size >= maxConnections) {
      socket.destroy();
      return;
    }
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  await listenAt(
    address,
    (host) =>
      new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port: address.port, ipv6Only: false, exclusive: true }, () => {
          server.off('error', reject);
          resolve();
        });
      }),
  );
  server.on('error', onError);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    stop: () => void server.close(),
    replaceTls: (other) => server.setSecureContext(other),
    destroyConnections() {
      for (const socket of open) socket.destroy();
    },
  };
}

/** What this listener sends is a few KB: the socket may buffer it. */
function createConnection(socket: TLSSocket): ByteConnection {
  const connection: ByteConnection = {
    owner: NO_OWNER,
    remoteAddress: socket.remoteAddress ?? '',
    scheme: 'https',
    write(bytes) {
      if (socket.destroyed || socket.writableNeedDrain) return 0;
      // The socket may send them later.
      socket.write(copyBytes(bytes));
      return bytes.length;
    },
    finish: () => void socket.end(),
    close: () => void socket.destroy(),
    descriptor: undefined,
    boundSendBuffer() {},
    limitRate() {},
    limitUnacknowledged() {},
  };
  socket.on('error', () => {});
  socket.on('data', (bytes: Buffer) => connection.owner.onData(bytes));
  socket.on('drain', () => connection.owner.onWritable());
  socket.once('close', () => {
    const { owner } = connection;
    connection.owner = NO_OWNER;
    owner.onClose();
  });
  return connection;
}
