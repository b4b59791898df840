import {
  type ComponentLogger,
  type Listener,
  type ListenerEvents,
  TypedEventEmitter,
  type Upgrader,
} from '@libp2p/interface';
import { getNetConfig, getThinWaistAddresses, ipPortToMultiaddr } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Socket, TCPSocketListener } from 'bun';

import { canonicalIp } from '../../runtime/ip-address.ts';
import { AcceptedConnection } from './accepted-connection.ts';
import type { Door } from './door.ts';
import type { Visit } from './door-visit.ts';
import { TCP_KEEP_ALIVE_MS } from '../limits.ts';
import type { Membership } from '../../membership/membership.ts';
import { originOf } from '../addresses/peer-addresses.ts';

/** Bytes that a handshake and the first messages behind it take at most. */
export const MAX_HANDSHAKE_BYTES = 128 * 1024;
/** Bytes of it that the dialling peer sends before it has heard anything: the names of two protocols and a key. */
export const MAX_EARLY_BYTES = 4 * 1024;

/** What a GuardedListener needs. */
export interface GuardedListenerDeps {
  readonly door: Door;
  readonly membership: Pick<Membership, 'standing'>;
  readonly upgrader: Pick<Upgrader, 'upgradeInbound'>;
  readonly logger: ComponentLogger;
}

/** A connection on its way in, and later on. */
interface Arrival {
  readonly visit: Visit;
  readonly remoteAddr: Multiaddr;
  /** What came before its turn. The kernel keeps the rest. */
  early: Uint8Array | undefined;
  /** Bytes of its handshake so far; undefined when that is done. */
  handshakeBytes: number | undefined;
  connection: AcceptedConnection | undefined;
}

type Accepted = Socket<Arrival | undefined>;

/**
 * Listens for libp2p behind a door. Until its turn a connection is a socket and nothing else, so that a refusal costs
 * some microseconds and no memory, however many come.
 */
export class GuardedListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #deps: GuardedListenerDeps;
  readonly #sockets = new Set<Accepted>();
  readonly #stopped = new AbortController();
  #server: TCPSocketListener<Arrival | undefined> | undefined;
  #address: Multiaddr | undefined;

  constructor(deps: GuardedListenerDeps) {
    super();
    this.#deps = deps;
  }

  /** Rejects if the address cannot be had, or is not a TCP address. */
  async listen(address: Multiaddr): Promise<void> {
    const { host, port = 0, type } = getNetConfig(address);
    if (type !== 'ip4' && type !== 'ip6') {
      throw new TypeError(`Cannot listen on ${address.toString()}: it has no IP address`);
    }
    this.#address = address;
    this.#server = Bun.listen<Arrival | undefined>({
      hostname: host,
      port,
      exclusive: true,
      // Else the address of all of IPv6 takes the port of IPv4, too; the types leave it out.
      ...({ ipv6Only: type === 'ip6' } as object),
      socket: {
        binaryType: 'uint8array',
        open: (socket) => this.#opened(socket),
        data: (socket, bytes) => this.#received(socket, bytes),
        drain: (socket) => socket.data?.connection?.onWritable(),
        end: (socket) => socket.close(),
        close: (socket) => this.#closed(socket),
        // Also what a handler of these throws: the socket would stay open.
        error: (socket) => socket.terminate(),
      },
    });
    this.safeDispatchEvent('listening');
  }

  getAddrs(): Multiaddr[] {
    if (this.#address === undefined || this.#server === undefined) return [];
    return getThinWaistAddresses(this.#address, this.#server.port);
  }

  updateAnnounceAddrs(): void {}

  async close(): Promise<void> {
    this.#server?.stop();
    this.#server = undefined;
    this.#stopped.abort(new Error('The listener is closed'));
    for (const socket of this.#sockets) socket.terminate();
    this.safeDispatchEvent('close');
  }

  #opened(socket: Accepted): void {
    socket.data = undefined;
    const { remoteAddress } = socket;
    const ip = canonicalIp(remoteAddress);
    // Empty if it is gone already.
    const remoteAddr = ip === undefined ? undefined : ipPortToMultiaddr(ip, socket.remotePort);
    if (ip === undefined || remoteAddr === undefined) {
      socket.terminate();
      return;
    }
    const { door, membership } = this.#deps;
    const visit = door.knock({ origin: originOf(remoteAddr), standing: membership.standing(ip) });
    if (visit === undefined) {
      socket.terminate();
      return;
    }
    const arrival: Arrival = {
      visit,
      remoteAddr,
      early: undefined,
      handshakeBytes: 0,
      connection: undefined,
    };
    socket.data = arrival;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    void this.#receive(socket, arrival);
  }

  async #receive(socket: Accepted, arrival: Arrival): Promise<void> {
    const { visit, remoteAddr } = arrival;
    try {
      const late = await visit.turn;
      if (socket.data !== arrival) throw new Error('The connection has ended');
      const connection = new AcceptedConnection(socket, {
        remoteAddr,
        ...(this.#address === undefined ? {} : { localAddr: this.#address }),
        log: this.#deps.logger.forComponent('libp2p:tcp:connection'),
      });
      arrival.connection = connection;
      const { early } = arrival;
      arrival.early = undefined;
      if (early !== undefined) connection.onData(early);
      socket.resume();
      await this.#deps.upgrader.upgradeInbound(connection, {
        signal: AbortSignal.any([late, this.#stopped.signal]),
      });
      arrival.handshakeBytes = undefined;
      visit.opened();
    } catch (error) {
      visit.ended();
      if (arrival.connection === undefined) socket.terminate();
      else arrival.connection.abort(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #received(socket: Accepted, bytes: Uint8Array): void {
    const arrival = socket.data;
    if (arrival === undefined) return;
    const { visit, connection } = arrival;
    if (arrival.handshakeBytes !== undefined) {
      arrival.handshakeBytes += bytes.byteLength;
      if (arrival.handshakeBytes > (connection === undefined ? MAX_EARLY_BYTES : MAX_HANDSHAKE_BYTES)) {
        if (connection === undefined) socket.terminate();
        else connection.abort(new Error('This is more than a handshake'));
        return;
      }
    }
    if (connection === undefined) {
      // What it sends while it waits stays in the kernel.
      socket.pause();
      arrival.early = arrival.early === undefined ? bytes : Buffer.concat([arrival.early, bytes]);
      visit.heard();
      return;
    }
    if (arrival.handshakeBytes !== undefined) visit.heard();
    connection.onData(bytes);
  }

  #closed(socket: Accepted): void {
    const arrival = socket.data;
    if (arrival === undefined) return;
    socket.data = undefined;
    this.#sockets.delete(socket);
    arrival.visit.ended();
    arrival.connection?.onSocketClosed();
  }
}
