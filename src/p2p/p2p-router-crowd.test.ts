import { describe, expect, test } from 'bun:test';
import net from 'node:net';
import { multiaddr } from '@multiformats/multiaddr';

import { until } from '../runtime/conditions.fixture.ts';
import { CONNECTIONS_PER_ADDRESS, HANDSHAKES_PER_ADDRESS } from './limits.ts';
import { ADDRESS_LIMITS } from './router-budget.ts';
import { startClient } from './testing/start-client.ts';
import { addressOf, createTestRouters, portOf, stopAfterEach } from './testing/test-routers.ts';

const routers = createTestRouters();
stopAfterEach(routers);

/** Opens TCP connections from the address that say nothing; resolves once each of them is connected. */
async function openSockets(
  cleanup: AsyncDisposableStack,
  {
    port,
    localAddress,
    count,
  }: { readonly port: number; readonly localAddress: string; readonly count: number },
): Promise<net.Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = net.connect({ host: '127.0.0.1', port, localAddress });
      cleanup.defer(() => void socket.destroy());
      socket.on('error', () => {});
      await new Promise((resolve) => socket.once('connect', resolve));
      return socket;
    }),
  );
}

describe('createP2pRouter()', () => {
  test('lets a node join while another address has as many half-open connections as it likes', async () => {
    await using cleanup = new AsyncDisposableStack();
    const router = await routers.start(undefined, { addressLimits: ADDRESS_LIMITS });
    const sockets = await openSockets(cleanup, {
      port: portOf(router),
      localAddress: '127.0.0.3',
      count: 100,
    });
    const isOpen = (socket: net.Socket) => !socket.destroyed && socket.readyState === 'open';
    await until(() => sockets.filter(isOpen).length <= HANDSHAKES_PER_ADDRESS);
    const client = await startClient(cleanup, '127.0.0.4');
    await client.dial(multiaddr(addressOf(router)));
    await until(() => router.stats().peers.connected === 1);
    // The others still wait for a word.
    expect(sockets.filter(isOpen)).toHaveLength(HANDSHAKES_PER_ADDRESS);
    await until(() => sockets.every((socket) => !isOpen(socket)));
    expect(router.stats().refused).toMatchObject({ slow_handshake: HANDSHAKES_PER_ADDRESS });
  });

  test('has few connections of one address, whatever identities they show', async () => {
    await using cleanup = new AsyncDisposableStack();
    const router = await routers.start(undefined, { addressLimits: ADDRESS_LIMITS });
    const clients = await Promise.all(
      Array.from({ length: CONNECTIONS_PER_ADDRESS + 4 }, async () => startClient(cleanup, '127.0.0.5')),
    );
    for (const client of clients) await client.dial(multiaddr(addressOf(router))).catch(() => {});
    await until(() => router.stats().peers.connected === CONNECTIONS_PER_ADDRESS);
    const other = await startClient(cleanup, '127.0.0.6');
    await other.dial(multiaddr(addressOf(router)));
    await until(() => router.stats().peers.connected === CONNECTIONS_PER_ADDRESS + 1);
    expect(router.stats().refused.address_connections).toBe(4);
  });
});
