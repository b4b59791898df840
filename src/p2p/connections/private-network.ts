import type {
  ComponentLogger,
  ConnectionProtector,
  MultiaddrConnection,
  MessageStreamEvents,
} from '@libp2p/interface';
import { AbstractMultiaddrConnection, byteStream } from '@libp2p/utils';
import { xsalsa20 } from '@noble/ciphers/salsa.js';

/** Each side sends this much in the clear first (libp2p specs, pnet, Private-Networks-PSK-V1). */
const NONCE_BYTES = 24;
/** A block of the cipher. */
const BLOCK_BYTES = 64;

/**
 * libp2p's private network: whatever two nodes say to each other, from the first byte on, is enciphered with XSalsa20
 * and a key that all nodes share. Without the key no node gets as far as to say which peer it is. libp2p's own package
 * is not used: its cipher keeps memory of every connection and fails for good after 5,120.
 */
export function privateNetwork(
  key: Uint8Array,
): (components: { logger: ComponentLogger }) => ConnectionProtector {
  return () => ({
    async protect(stream, options) {
      // libp2p gives it nothing else, and takes it as that afterwards.
      const connection = stream as MultiaddrConnection;
      const bytes = byteStream(connection);
      const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const [theirs] = await Promise.all([
        bytes.read({ ...options, bytes: NONCE_BYTES }),
        bytes.write(nonce, options),
      ]);
      return new PrivateConnection(bytes.unwrap(), {
        inbound: createKeyStream(key, theirs.subarray()),
        outbound: createKeyStream(key, nonce),
      });
    },
  });
}

/** Enciphers and deciphers one direction of a connection. */
export interface KeyStream {
  /** XORs the next bytes. Throws when there were 256 GiB. */
  xor(data: Uint8Array): Uint8Array;
}

/** Makes a stream of key bytes; key and nonce belong to it alone. */
export function createKeyStream(key: Uint8Array, nonce: Uint8Array): KeyStream {
  let offset = 0;
  return {
    xor(data) {
      // The cipher starts at a block: bytes of the block that was begun are gone through again.
      const begun = offset % BLOCK_BYTES;
      const padded = new Uint8Array(begun + data.length);
      padded.set(data, begun);
      const result = xsalsa20(key, nonce, padded, undefined, (offset - begun) / BLOCK_BYTES);
      offset += data.length;
      return result.subarray(begun);
    },
  };
}

/** A connection through which everything goes enciphered. */
class PrivateConnection extends AbstractMultiaddrConnection {
  readonly #connection: MultiaddrConnection;
  readonly #outbound: KeyStream;

  constructor(
    connection: MultiaddrConnection,
    { inbound, outbound }: { readonly inbound: KeyStream; readonly outbound: KeyStream },
  ) {
    super({
      remoteAddr: connection.remoteAddr,
      direction: connection.direction,
      log: connection.log.newScope('private'),
    });
    this.#connection = connection;
    this.#outbound = outbound;
    connection.addEventListener('message', ({ data }) => {
      for (const chunk of data instanceof Uint8Array ? [data] : data) {
        const plain = this.#apply(inbound, chunk);
        if (plain !== undefined) this.onData(plain);
      }
    });
    connection.addEventListener('drain', () => this.onMuxerDrain());
    connection.addEventListener('close', (event) => this.#onClose(event));
  }

  #onClose({ error, local }: MessageStreamEvents['close']): void {
    if (error === undefined) this.onTransportClosed();
    else if (local === true) this.abort(error);
    else this.onRemoteReset();
  }

  /** The bytes, or undefined when the key stream is at its end: then so is the connection. */
  #apply(keyStream: KeyStream, data: Uint8Array): Uint8Array | undefined {
    try {
      return keyStream.xor(data);
    } catch (cause) {
      this.abort(new Error('The connection has carried all that one nonce is good for', { cause }));
      return undefined;
    }
  }

  sendData(data: { readonly byteLength: number; subarray(): Uint8Array }): {
    sentBytes: number;
    canSendMore: boolean;
  } {
    const sealed = this.#apply(this.#outbound, data.subarray());
    return {
      sentBytes: data.byteLength,
      canSendMore: sealed !== undefined && this.#connection.send(sealed),
    };
  }

  sendReset(error: Error): void {
    this.#connection.abort(error);
  }

  async sendClose(options?: { readonly signal?: AbortSignal }): Promise<void> {
    await this.#connection.close(options);
  }

  sendPause(): void {
    this.#connection.pause();
  }

  sendResume(): void {
    this.#connection.resume();
  }
}
