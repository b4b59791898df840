import type { Transport } from '@libp2p/interface';
import { type TCPComponents, tcp } from '@libp2p/tcp';

import { TCP_KEEP_ALIVE_MS } from '../limits.ts';
import { TCP_TIMEOUT_MS } from '../../bootstrap/limits.ts';

/** The part of @libp2p/tcp 11 that opens the socket, in which a dial is aborted. */
interface Connecting {
  _connect(address: unknown, options: { readonly signal: AbortSignal }): Promise<unknown>;
}

/** What @libp2p/tcp hands on to node:net, where it is known; its own types leave it out. */
const KEEP_ALIVE = { keepAliveInitialDelay: TCP_KEEP_ALIVE_MS };

/**
 * The TCP transport with a limit of its own for TCP's handshake, and without a limit on how long a connection may be
 * quiet. It is also without the uncaught error of a dial that is aborted. @libp2p/tcp hands its abort signal to
 * node:net as well. On abort it stops listening to the socket first, and under Bun the socket then emits an AbortError:
 * an uncaught exception for each dial to a node that has died. The signal is hidden from node:net here; the transport
 * itself destroys the socket on abort.
 */
export function abortableTcp(timeoutMs = TCP_TIMEOUT_MS): (components: TCPComponents) => Transport {
  const create = tcp({
    // The package ends connections that were quiet for two minutes. Here a node does not talk to peers that others
    // probe. The failure detector finds out which peers are gone; the kernel does so for peers that it does not look
    // after.
    inboundSocketInactivityTimeout: 0,
    outboundSocketInactivityTimeout: 0,
    listenOpts: KEEP_ALIVE,
    dialOpts: KEEP_ALIVE,
  });
  return (components) => {
    const transport = create(components);
    const connecting = transport as unknown as Connecting;
    const connect = connecting._connect.bind(transport);
    connecting._connect = async (address, options) => {
      const { signal: given, ...visible } = options;
      const tooLate = new AbortController();
      const timer = setTimeout(() => tooLate.abort(new Error('The machine does not answer')), timeoutMs);
      const signal = AbortSignal.any([given, tooLate.signal]);
      try {
        // Not enumerable: node:net gets a copy of the enumerable ones.
        return await connect(
          address,
          Object.defineProperty(visible, 'signal', { value: signal }) as typeof options,
        );
      } finally {
        clearTimeout(timer);
      }
    };
    return transport;
  };
}
