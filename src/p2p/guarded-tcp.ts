import type { Listener, MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface';
import type { TCPComponents } from '@libp2p/tcp';

import { abortableTcp } from './abortable-tcp.ts';
import type { Door } from './door.ts';
import { MAX_HANDSHAKE_BYTES } from './limits.ts';
import type { Membership } from './membership.ts';
import { ipOf, originOf } from './peer-addresses.ts';

/** The part of @libp2p/utils 7's connections through which what a socket has read comes in. */
interface Receiving {
  onData?: (bytes: { readonly byteLength: number }) => void;
}

/** TCP with a door in front of what libp2p does with a new connection. */
export function guardedTcp(
  door: Door,
  membership: Pick<Membership, 'standing'>,
): (components: TCPComponents) => Transport {
  const create = abortableTcp();
  const upgradeInbound = async (
    upgrader: Upgrader,
    connection: MultiaddrConnection,
    options: Parameters<Upgrader['upgradeInbound']>[1],
  ) => {
    const { remoteAddr } = connection;
    const ip = ipOf(remoteAddr);
    const standing = ip === undefined ? 'stranger' : membership.standing(ip);
    const visit = door.knock({ origin: originOf(remoteAddr), standing });
    if (visit === undefined) throw new Error('There is no room for the connection');
    connection.addEventListener('close', () => visit.ended(), { once: true });
    try {
      let isWaiting = true;
      const unbound = boundHandshake(connection, () => {
        // What it sends while it waits stays in the kernel.
        if (isWaiting) connection.pause();
        visit.heard();
      });
      const late = await visit.turn;
      isWaiting = false;
      connection.resume();
      const signal = AbortSignal.any([late, ...(options.signal === undefined ? [] : [options.signal])]);
      await upgrader.upgradeInbound(connection, { ...options, signal });
      unbound();
      visit.opened();
    } catch (error) {
      visit.ended();
      throw error;
    }
  };
  return (components) => {
    const transport = create(components);
    const createListener = transport.createListener.bind(transport);
    transport.createListener = (options): Listener => {
      const { upgrader } = options;
      const guarded: Upgrader = Object.create(upgrader, {
        upgradeInbound: {
          value: async (...[connection, given]: Parameters<Upgrader['upgradeInbound']>) =>
            upgradeInbound(upgrader, connection, given),
        },
      });
      return createListener({ ...options, upgrader: guarded });
    };
    return transport;
  };
}

/** Ends a connection that sends more than a handshake needs. Call the result when it is done. */
function boundHandshake(connection: MultiaddrConnection, onHeard: () => void): () => void {
  const receiving = connection as unknown as Receiving;
  const onData = receiving.onData?.bind(connection);
  if (onData === undefined) return () => {};
  let bytes = 0;
  receiving.onData = (data) => {
    bytes += data.byteLength;
    onHeard();
    if (bytes > MAX_HANDSHAKE_BYTES) connection.abort(new Error('This is more than a handshake'));
    else onData(data);
  };
  return () => {
    delete receiving.onData;
  };
}
