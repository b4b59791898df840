import { expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';
import type { MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface';
import { type TCPComponents } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';

import { abortableTcp } from './abortable-tcp.ts';
import { failureOf } from '../../runtime/conditions.fixture.ts';
import { TCP_KEEP_ALIVE_MS } from '../limits.ts';

/** What @libp2p/tcp's connections have of a socket of node:net. */
interface SocketFacts {
  readonly timeout?: number;
  readonly localPort: number;
  readonly remotePort: number;
}

const silent = Object.assign(() => {}, { error() {}, trace() {}, enabled: false, newScope: () => silent });
const components = { logger: { forComponent: () => silent } } as unknown as TCPComponents;

test('abortableTcp() leaves no error uncaught when a dial is aborted', async () => {
  const uncaught: unknown[] = [];
  const onUncaught = (error: unknown) => void uncaught.push(error);
  process.on('uncaughtException', onUncaught);
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
  try {
    const transport: Transport = abortableTcp()(components);
    const abort = new AbortController();
    const dialed = transport.dial(multiaddr(`/ip4/127.0.0.1/tcp/${server.port}`), {
      signal: abort.signal,
      // Never reached: the dial is aborted before the connection is there.
      upgrader: undefined as never,
    });
    abort.abort();
    expect((await failureOf(dialed)).name).toBe('AbortError');
    // The socket's own error comes a few turns later.
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(uncaught).toEqual([]);
  } finally {
    server.stop(true);
    process.off('uncaughtException', onUncaught);
  }
});

test('abortableTcp() lets connections be quiet, and has the kernel probe them after a minute', async () => {
  const transport: Transport = abortableTcp()(components);
  const accepted = Promise.withResolvers<MultiaddrConnection>();
  const upgrader = {
    upgradeInbound: async (connection: MultiaddrConnection) => accepted.resolve(connection),
    upgradeOutbound: async (connection: MultiaddrConnection) => connection,
  } as unknown as Upgrader;
  const listener = transport.createListener({ upgrader });
  await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0'));
  try {
    const [address] = listener.getAddrs();
    if (address === undefined) throw new Error('It listens nowhere');
    const dialled = await transport.dial(address, { signal: AbortSignal.timeout(5000), upgrader });
    const both = [await accepted.promise, dialled as unknown as MultiaddrConnection];
    for (const connection of both) {
      const { socket } = connection as unknown as { readonly socket: SocketFacts };
      expect(socket.timeout ?? 0).toBe(0);
      const seconds = await keepAliveSeconds(socket);
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThanOrEqual(TCP_KEEP_ALIVE_MS / 1000);
    }
    for (const connection of both) connection.abort(new Error('The test is over'));
  } finally {
    await listener.close();
  }
});

/**
 * Seconds until the kernel probes the connection (proc_net_tcp of the kernel's documentation); undefined if it does
 * not.
 */
async function keepAliveSeconds({ localPort, remotePort }: SocketFacts): Promise<number | undefined> {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
  const ends = new RegExp(`:${hex(localPort)} \\w+:${hex(remotePort)} \\w+ \\w+:\\w+ (\\w+):(\\w+)`);
  const [, timer, jiffies = ''] = ends.exec(await readFile('/proc/net/tcp', 'utf8')) ?? [];
  // A program that reads this sees a hundred jiffies in a second (USER_HZ).
  return timer === '02' ? parseInt(jiffies, 16) / 100 : undefined;
}
