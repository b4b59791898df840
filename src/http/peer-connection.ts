import type { Socket } from 'bun';
import { PeerRequestError } from './transport.ts';
import { boundReceiveBuffer, stretchReceiveBuffer } from './socket-buffers.ts';
import { unreadBytes } from './socket-option.ts';

/** Who is told what a connection does. It changes hands: an exchange, then its body, then the pool. */
export interface PeerConnectionOwner {
  onData(chunk: Uint8Array): void;
  /** The connection is closed; no error means that the peer ended it in order. */
  onClose(error: Error | undefined): void;
}

/** A TCP connection to a peer. */
export interface PeerConnection {
  owner: PeerConnectionOwner;
  readonly closed: boolean;
  /** The socket's descriptor; undefined once it is closed. */
  readonly descriptor: number | undefined;
  /** Bytes that have come and were not read; undefined where the kernel does not tell. */
  readonly unreadBytes: number | undefined;
  send(text: string): void;
  /** Sets the kernel's receive buffer, in bytes of payload, where that can be done. */
  boundReceiveBuffer(sizeBytes: number): void;
  /** The same for what is to come before it is read, also above what the system gives without being asked. */
  stretchReceiveBuffer(sizeBytes: number): void;
  /** No more data until resume(); what is on its way already may still come. */
  pause(): void;
  resume(): void;
  /** Closes it at once; the owner is not told. */
  destroy(): void;
}

/** How to connect. */
export interface ConnectPeerOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const NOBODY: PeerConnectionOwner = { onData: () => {}, onClose: () => {} };

/**
 * Connects to an IP address. Rejects with PeerRequestError CONNECT_FAILED, CONNECT_TIMEOUT or CANCELLED.
 * On Bun.connect: its pause and resume hold back the peer at the kernel's buffers, and nothing is queued in
 * between (node:http's client needs twice the memory for the same 50 slow readers).
 */
export function connectPeer(
  host: string,
  port: number,
  { timeoutMs, signal }: ConnectPeerOptions,
): Promise<PeerConnection> {
  return new Promise((resolve, reject) => {
    let settled = false;
    const settle = (act: () => void) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const fail = (error: PeerRequestError) => settle(() => reject(error));
    const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    const onAbort = () =>
      fail(
        new PeerRequestError('CANCELLED', `Connecting to ${where} was cancelled`, { cause: signal.reason }),
      );
    const timer = setTimeout(
      () => fail(new PeerRequestError('CONNECT_TIMEOUT', `No connection to ${where} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });

    const refused = (cause: unknown) =>
      fail(new PeerRequestError('CONNECT_FAILED', `Cannot connect to ${where}`, { cause }));
    let connection: (PeerConnection & { ended(error?: Error): void; flush(): void }) | undefined;
    Bun.connect({
      hostname: host,
      port,
      socket: {
        open(socket) {
          // Too late: nobody waits any more. Bun has no way to give up a connection that is being made.
          if (settled) {
            socket.terminate();
            return;
          }
          socket.setNoDelay(true);
          const opened = createConnection(socket as PeerSocket);
          connection = opened;
          settle(() => resolve(opened));
        },
        data: (_socket, chunk) => connection?.owner.onData(chunk),
        drain: () => connection?.flush(),
        error: (_socket, error) => connection?.ended(error),
        close: (_socket, error) => connection?.ended(error),
        connectError: (_socket, error) => refused(error),
      },
    }).catch(refused);
  });
}

/** The runtime's types do not say that a socket has its descriptor. */
type PeerSocket = Socket & { readonly fd: number };

function createConnection(
  socket: PeerSocket,
): PeerConnection & { ended(error?: Error): void; flush(): void } {
  let closed = false;
  let unsent: Buffer = Buffer.alloc(0);
  const flush = () => {
    if (closed || unsent.length === 0) return;
    const written = socket.write(unsent);
    unsent = unsent.subarray(Math.max(written, 0));
  };
  return {
    owner: NOBODY,
    get closed() {
      return closed;
    },
    send(text) {
      const bytes = Buffer.from(text, 'latin1');
      unsent = unsent.length === 0 ? bytes : Buffer.concat([unsent, bytes]);
      flush();
    },
    get descriptor() {
      return closed ? undefined : socket.fd;
    },
    get unreadBytes() {
      return closed ? undefined : unreadBytes(socket.fd);
    },
    boundReceiveBuffer: (sizeBytes) => {
      if (!closed) boundReceiveBuffer(socket.fd, sizeBytes);
    },
    stretchReceiveBuffer: (sizeBytes) => {
      if (!closed) stretchReceiveBuffer(socket.fd, sizeBytes);
    },
    pause: () => {
      if (!closed) socket.pause();
    },
    resume: () => {
      if (!closed) socket.resume();
    },
    destroy() {
      if (closed) return;
      closed = true;
      this.owner = NOBODY;
      socket.terminate();
    },
    flush,
    ended(error) {
      if (closed) return;
      closed = true;
      const { owner } = this;
      this.owner = NOBODY;
      owner.onClose(error);
    },
  };
}
