import type { Socket } from 'bun';
import type { ListenAddress } from '../../runtime/listen-address.ts';
import { createCongestionControl, readSystemCongestion } from '../congestion-control.ts';
import { boundSendBuffer } from '../socket-buffers.ts';
import { paceSocket } from '../socket-pace.ts';
import { limitUnacknowledged } from '../socket-patience.ts';
import { type ByteConnection, type ByteListener, NO_OWNER } from './byte-connection.ts';
import { listenAt } from './listen-at.ts';

/** The runtime's types do not say that a socket has its descriptor. */
interface WithDescriptor {
  readonly fd: number;
}
type Accepted = Socket<{ connection: TcpConnection | undefined }> & WithDescriptor;

/** A connection with what its socket's events need. */
interface TcpConnection extends ByteConnection {
  closed(): void;
}

/**
 * Listens for TCP connections. Rejects, with a sentence that names the address, if the address cannot be had.
 * Written on the runtime's own sockets: those of node:http hide their descriptors and buffer what a client does not take.
 */
export async function listenTcp(
  address: ListenAddress,
  onConnection: (connection: ByteConnection) => void,
): Promise<ByteListener> {
  const congestion = createCongestionControl(readSystemCongestion());
  const server = await listenAt(address, async (host) =>
    Bun.listen<{ connection: TcpConnection | undefined }>({
      hostname: host,
      port: address.port,
      exclusive: true,
      allowHalfOpen: true,
      socket: {
        binaryType: 'buffer',
        open(socket) {
          const connection = createConnection(socket as Accepted);
          socket.data = { connection };
          socket.setNoDelay(true);
          congestion?.accepted((socket as Accepted).fd);
          onConnection(connection);
        },
        data: (socket, bytes) => socket.data.connection?.owner.onData(bytes),
        drain: (socket) => socket.data.connection?.owner.onWritable(),
        end: (socket) => socket.data.connection?.owner.onEnd(),
        close: (socket) => socket.data?.connection?.closed(),
        // Followed by its close, which is what counts.
        error() {},
      },
    }),
  );
  congestion?.listening((server as unknown as WithDescriptor).fd);
  return { port: server.port, stop: () => server.stop() };
}

function createConnection(socket: Accepted): TcpConnection {
  const { remoteAddress } = socket;
  let isClosed = false;
  return {
    owner: NO_OWNER,
    remoteAddress,
    scheme: 'http',
    write(bytes) {
      return isClosed ? 0 : Math.max(0, socket.write(bytes));
    },
    finish() {
      if (!isClosed) socket.shutdown();
    },
    close() {
      if (!isClosed) socket.close();
    },
    get descriptor() {
      return isClosed ? undefined : socket.fd;
    },
    boundSendBuffer(sizeBytes) {
      if (!isClosed) boundSendBuffer(socket.fd, sizeBytes);
    },
    limitRate(bytesPerSecond) {
      if (!isClosed) paceSocket(socket.fd, bytesPerSecond);
    },
    limitUnacknowledged(ms) {
      if (!isClosed) limitUnacknowledged(socket.fd, ms);
    },
    closed() {
      if (isClosed) return;
      isClosed = true;
      socket.data.connection = undefined;
      const { owner } = this;
      this.owner = NO_OWNER;
      owner.onClose();
    },
  };
}
