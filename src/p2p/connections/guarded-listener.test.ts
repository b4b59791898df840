import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import type { ComponentLogger, MultiaddrConnection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Socket } from 'bun';

import { failureOf, until } from '../../runtime/conditions.fixture.ts';
import { systemClock } from '../../runtime/clock.ts';
import { systemTimers } from '../../runtime/timers.ts';
import { createDoor, type Door, type DoorOptions } from './door.ts';
import { GuardedListener, MAX_EARLY_BYTES, MAX_HANDSHAKE_BYTES } from './guarded-listener.ts';

const OPTIONS: DoorOptions = {
  address: { connections: 40, pendingConnections: 40, handshakes: 40, burst: 100, perSecond: 100 },
  connections: 100,
  pendingConnections: 100,
  slots: 8,
  pacedFrom: 1000,
  pacePerSecond: 10,
  waiting: 100,
  waitMs: 20_000,
  handshakeMs: 20_000,
};

const log = Object.assign(() => {}, { error() {}, trace() {}, enabled: false, newScope: () => log });
const logger: ComponentLogger = { forComponent: () => log };

/** A client's end of a connection. */
interface Client {
  readonly socket: Socket;
  readonly received: () => string;
  readonly isClosed: () => boolean;
}

describe('GuardedListener', () => {
  let stack = new AsyncDisposableStack();
  beforeEach(() => {
    stack = new AsyncDisposableStack();
  });
  afterEach(async () => stack.disposeAsync());

  /** A listener whose connections are handed to `upgrade`, on the loopback address. */
  async function start(
    upgrade: (connection: MultiaddrConnection, signal: AbortSignal) => Promise<void>,
    options: Partial<DoorOptions> = {},
    address = '/ip4/127.0.0.1/tcp/0',
  ): Promise<{
    door: Door;
    listener: GuardedListener;
    port: number;
    connect: (host?: string) => Promise<Client>;
  }> {
    const door = createDoor(
      { nowMs: () => systemClock.nowMs(), timers: systemTimers },
      { ...OPTIONS, ...options },
    );
    const listener = new GuardedListener({
      door,
      membership: { standing: () => 'member' },
      upgrader: {
        upgradeInbound: async (
          connection: MultiaddrConnection,
          { signal }: { readonly signal: AbortSignal },
        ) => upgrade(connection, signal),
      },
      logger,
    });
    await listener.listen(multiaddr(address));
    stack.defer(async () => listener.close());
    const port = Number(
      listener
        .getAddrs()[0]
        ?.getComponents()
        .find(({ name }) => name === 'tcp')?.value,
    );
    const connect = async (host = '127.0.0.1'): Promise<Client> => {
      let [received, isClosed] = ['', false];
      const socket = await Bun.connect({
        hostname: host,
        port,
        socket: {
          data: (_, bytes) => {
            received += bytes.toString();
          },
          close: () => {
            isClosed = true;
          },
          error() {},
        },
      });
      stack.defer(() => socket.terminate());
      return { socket, received: () => received, isClosed: () => isClosed };
    };
    return { door, listener, port, connect };
  }

  /** Listens, so that what has come is handed over. */
  const readText = (connection: MultiaddrConnection) => {
    let text = '';
    connection.addEventListener('message', ({ data }) => {
      text += Buffer.from(data.subarray()).toString();
    });
    return () => text;
  };
  const forever = async (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });

  test('hands over a connection with what came before its turn, and moves bytes both ways', async () => {
    const upgraded = Promise.withResolvers<MultiaddrConnection>();
    const { connect } = await start(async (connection) => upgraded.resolve(connection));
    const client = await connect();
    client.socket.write('hello');
    const connection = await upgraded.promise;
    const text = readText(connection);
    await until(() => text() === 'hello');
    expect(connection.remoteAddr.toString()).toBe(`/ip4/127.0.0.1/tcp/${client.socket.localPort}`);
    client.socket.write(', again');
    await until(() => text() === 'hello, again');
    connection.send(Buffer.from('welcome'));
    await until(() => client.received() === 'welcome');
    await connection.close();
    await until(() => client.isClosed());
  });

  test('a connection that says nothing, or is refused, is never handed over', async () => {
    let count = 0;
    const { connect, door } = await start(
      async () => {
        count++;
      },
      { address: { ...OPTIONS.address, connections: 3 }, handshakeMs: 200 },
    );
    const clients = [await connect(), await connect(), await connect()];
    const refused = await connect();
    await until(() => refused.isClosed());
    expect(clients.some((client) => client.isClosed())).toBe(false);
    await until(() => clients.every((client) => client.isClosed()));
    expect(door.refused.address_connections).toBe(1);
    expect(door.refused.slow_handshake).toBe(3);
    expect(count).toBe(0);
    // All of their slots are free again.
    const next = await connect();
    next.socket.write('hello');
    await until(() => count === 1);
  });

  test('what a connection sends before its turn is bounded, and stays in the kernel', async () => {
    const { connect } = await start(async (_, signal) => forever(signal), { slots: 1 });
    const first = await connect();
    first.socket.write('hello');
    const [patient, greedy] = [await connect(), await connect()];
    patient.socket.write('hello');
    greedy.socket.write(new Uint8Array(MAX_EARLY_BYTES + 1));
    await until(() => greedy.isClosed());
    expect([first.isClosed(), patient.isClosed()]).toEqual([false, false]);
  });

  test('ends a connection whose handshake is longer than any, and lets a peer whose handshake is done send as much as it likes', async () => {
    const { connect } = await start(async (connection, signal) => {
      if ((await firstWord(connection)) === 'wait') await forever(signal);
    });
    const [endless, done] = [await connect(), await connect()];
    endless.socket.write('wait');
    done.socket.write('done');
    const flood = async (client: Client) => {
      for (let sent = 0; sent < 2 * MAX_HANDSHAKE_BYTES && !client.isClosed(); sent += 16 * 1024) {
        client.socket.write(new Uint8Array(16 * 1024));
        await new Promise(setImmediate);
      }
    };
    await flood(endless);
    await until(() => endless.isClosed());
    await flood(done);
    expect(done.isClosed()).toBe(false);
  });

  test('keeps what the peer does not take, and goes on when it does', async () => {
    const upgraded = Promise.withResolvers<MultiaddrConnection>();
    const { connect } = await start(async (connection) => upgraded.resolve(connection));
    const client = await connect();
    client.socket.write('hello');
    const connection = await upgraded.promise;
    client.socket.pause();
    const part = Buffer.alloc(64 * 1024, 'x');
    let sent = 0;
    while (connection.send(part)) sent += part.length;
    sent += part.length;
    expect((connection as unknown as { writeBufferLength: number }).writeBufferLength).toBeGreaterThan(0);
    client.socket.resume();
    await until(() => client.received().length === sent);
  });

  test('tells that the peer has gone, and that it was reset', async () => {
    const connections: MultiaddrConnection[] = [];
    const { connect } = await start(async (connection) => void connections.push(connection));
    const clients = [await connect(), await connect()];
    for (const { socket } of clients) socket.write('hello');
    await until(() => connections.length === 2);
    let closed = 0;
    for (const connection of connections) {
      readText(connection);
      connection.addEventListener('close', () => {
        closed++;
      });
    }
    clients[0]?.socket.end();
    clients[1]?.socket.terminate();
    await until(() => closed === 2);
    for (const connection of connections) expect(() => connection.send(Buffer.from('x'))).toThrow();
  });

  test('a handshake that fails ends the connection, also without a word of why', async () => {
    const { connect } = await start(async () => {
      throw new Error('No');
    });
    const client = await connect();
    client.socket.write('hello');
    await until(() => client.isClosed());
  });

  test('close() ends all connections and frees the port', async () => {
    const { connect, listener, port } = await start(async (_, signal) => forever(signal));
    const clients = [await connect(), await connect()];
    clients[0]?.socket.write('hello');
    let isClosed = false;
    listener.addEventListener('close', () => {
      isClosed = true;
    });
    await listener.close();
    expect(isClosed).toBe(true);
    await until(() => clients.every((client) => client.isClosed()));
    Bun.listen({ hostname: '127.0.0.1', port, exclusive: true, socket: { data() {} } }).stop(true);
  });

  test('all of IPv6 leaves the port of IPv4 to another listener', async () => {
    const startSix = async () =>
      start(async (connection) => void connection.send(Buffer.from('six')), {}, '/ip6/::/tcp/0');
    const startFour = async (port: number) =>
      start(async (connection) => void connection.send(Buffer.from('four')), {}, `/ip4/0.0.0.0/tcp/${port}`);
    let six = await startSix();
    // Some other process may have the port of IPv4 that the kernel gave for IPv6.
    for (let triesLeft = 10; ; triesLeft--) {
      try {
        await startFour(six.port);
        break;
      } catch (error) {
        if (triesLeft === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
        six = await startSix();
      }
    }
    const [overFour, overSix] = [await six.connect('127.0.0.1'), await six.connect('::1')];
    for (const { socket } of [overFour, overSix]) socket.write('hello');
    await until(() => overFour.received() === 'four' && overSix.received() === 'six');
  });

  test('rejects an address that cannot be had, or is not an IP', async () => {
    const { port } = await start(async () => {});
    const other = new GuardedListener({
      door: createDoor({ nowMs: () => 0, timers: systemTimers }, OPTIONS),
      membership: { standing: () => 'member' },
      upgrader: { upgradeInbound: async () => {} },
      logger,
    });
    expect((await failureOf(other.listen(multiaddr(`/ip4/127.0.0.1/tcp/${port}`)))).message).toContain(
      'listen',
    );
    expect((await failureOf(other.listen(multiaddr('/dns4/localhost/tcp/0')))).message).toContain(
      'no IP address',
    );
  });
});

async function firstWord(connection: MultiaddrConnection): Promise<string> {
  return new Promise((resolve) => {
    connection.addEventListener('message', ({ data }) => resolve(Buffer.from(data.subarray()).toString()));
  });
}
