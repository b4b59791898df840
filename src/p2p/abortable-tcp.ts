import type { Transport } from '@libp2p/interface';
import { type TCPComponents, tcp } from '@libp2p/tcp';

/** The part of @libp2p/tcp 11 that opens the socket, in which a dial is aborted. */
interface Connecting {
  _connect(address: unknown, options: { readonly signal: AbortSignal }): Promise<unknown>;
}

/**
 * The TCP transport, without the error that nobody catches when a dial is aborted.
 * @libp2p/tcp hands its abort signal to node:net as well. On abort it stops listening to the socket first, and under
 * Bun the socket then emits an AbortError: an uncaught exception for each dial to a node that has died.
 * The signal is hidden from node:net here; the transport itself destroys the socket on abort.
 */
export function abortableTcp(): (components: TCPComponents) => Transport {
  const create = tcp();
  return (components) => {
    const transport = create(components);
    const connecting = transport as unknown as Connecting;
    const connect = connecting._connect.bind(transport);
    connecting._connect = async (address, options) => {
      const { signal, ...visible } = options;
      // Not enumerable: node:net gets a copy of the enumerable ones.
      return connect(address, Object.defineProperty(visible, 'signal', { value: signal }) as typeof options);
    };
    return transport;
  };
}
