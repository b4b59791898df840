/** What happens on a connection, as its owner is told. */
export interface ByteConnectionOwner {
  /** Bytes that the client sent; they are the owner's. */
  onData(bytes: Uint8Array): void;
  /** The connection takes bytes again, after a write that it did not take in full. */
  onWritable(): void;
  /** The client sent FIN: it sends no more, and may read on. Not told where the runtime ends such a connection by itself. */
  onEnd(): void;
  /** The connection is gone, whichever end closed it. Called once, also after close(). */
  onClose(): void;
}

/** Does nothing: the owner of a connection before it has another, and after it is gone. */
export const NO_OWNER: ByteConnectionOwner = { onData() {}, onWritable() {}, onEnd() {}, onClose() {} };

/**
 * A client's connection as a stream of bytes. Nothing is buffered here: what a write does not take stays with the
 * caller, so that memory for slow clients is counted where it is allocated.
 */
export interface ByteConnection {
  owner: ByteConnectionOwner;
  /** The client's IP address; empty if the connection is gone already. */
  readonly remoteAddress: string;
  /** Of the URLs that lead here. */
  readonly scheme: 'http' | 'https';
  /**
   * Hands bytes to the kernel and returns how many it took. After fewer than all, onWritable() tells when to try again;
   * 0 for a connection that is gone. The caller may change the bytes when this returns.
   */
  write(bytes: Uint8Array): number;
  /** Sends FIN after what was written; what the client still sends goes on arriving. */
  finish(): void;
  /** Closes the connection at once, in both directions. */
  close(): void;
  /** The socket's descriptor, where plain bytes may be written to it: undefined with TLS, and for a connection that is gone. */
  readonly descriptor: number | undefined;
  /** Sets the kernel's send buffer, in bytes of payload, where that can be done. */
  boundSendBuffer(sizeBytes: number): void;
  /** Sets the most that the kernel sends, in bytes per second, where that can be done. */
  limitRate(bytesPerSecond: number | undefined): void;
  /** Ends the connection when the client has not acknowledged what was sent for so many ms, where that can be done. */
  limitUnacknowledged(ms: number): void;
}

/** A listening socket. */
export interface ByteListener {
  readonly port: number;
  /** Stops accepting; connections that are open stay open. */
  stop(): void;
}
