import type { AbortOptions } from '@libp2p/interface';
import {
  AbstractMultiaddrConnection,
  type AbstractMultiaddrConnectionInit,
  type SendResult,
} from '@libp2p/utils';
import type { Socket } from 'bun';

import { abortable } from '../../runtime/abortable.ts';

/** Settings of an AcceptedConnection. */
export type AcceptedConnectionInit = Pick<
  AbstractMultiaddrConnectionInit,
  'log' | 'localAddr' | 'remoteAddr'
>;

/**
 * A TCP connection that another node has opened, for libp2p: on the runtime's own socket, which takes a fraction of the
 * memory of a node:net socket. What the kernel does not take stays with libp2p, which has limits for it.
 * The listener calls onData(), onWritable() and onSocketClosed().
 */
export class AcceptedConnection extends AbstractMultiaddrConnection {
  /** Named as in @libp2p/tcp's connections. */
  readonly socket: Socket<unknown>;
  readonly #closed = Promise.withResolvers<void>();
  #isClosed = false;

  constructor(socket: Socket<unknown>, init: AcceptedConnectionInit) {
    super({ ...init, direction: 'inbound' });
    this.socket = socket;
  }

  /** Hands bytes to the kernel. After fewer than all, onWritable() tells when it takes more. */
  sendData(data: Parameters<AbstractMultiaddrConnection['sendData']>[0]): SendResult {
    let sentBytes = 0;
    for (const part of data) {
      const taken = this.#isClosed ? 0 : Math.max(0, this.socket.write(part));
      sentBytes += taken;
      if (taken < part.byteLength) return { sentBytes, canSendMore: false };
    }
    return { sentBytes, canSendMore: true };
  }

  /**
   * Closes the socket and resolves when it is closed. What the kernel has taken is sent before its FIN, unless the peer has
   * sent bytes that are not read: the kernel then answers with RST.
   */
  async sendClose({ signal }: AbortOptions = {}): Promise<void> {
    if (!this.#isClosed) this.socket.close();
    await abortable(this.#closed.promise, signal);
  }

  /** Ends the socket with an RST: the kernel keeps nothing of it. */
  sendReset(): void {
    if (!this.#isClosed) this.socket.terminate();
  }

  sendPause(): void {
    if (!this.#isClosed) this.socket.pause();
  }

  sendResume(): void {
    if (!this.#isClosed) this.socket.resume();
  }

  /** The kernel takes bytes again. */
  onWritable(): void {
    this.safeDispatchEvent('drain');
  }

  /** The socket is gone, whichever end closed it. Called once. */
  onSocketClosed(): void {
    this.#isClosed = true;
    this.#closed.resolve();
    this.onTransportClosed();
  }
}
