import { describe, expect, test } from 'bun:test';
import { multiaddr } from '@multiformats/multiaddr';

import { until } from '../runtime/conditions.fixture.ts';
import { CONNECTIONS_PER_ADDRESS, HANDSHAKES_PER_ADDRESS } from './limits.ts';
import { ADDRESS_LIMITS } from './router-budget.ts';
import { startClient } from './testing/start-client.ts';
import { addressOf, createTestRouters, portOf, stopAfterEach } from './testing/test-routers.ts';

const routers = createTestRouters();
stopAfterEach(routers);

/** A connection that says nothing. */
interface Silent {
  isOpen: boolean;
}

/** Opens TCP connections from 127.0.0.1. */
async function openSilent(cleanup: AsyncDisposableStack, port: number, count: number): Promise<Silent[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const silent: Silent = { isOpen: true };
      const end = () => {
        silent.isOpen = false;
      };
      const socket = await Bun.connect({
        hostname: '127.0.0.1',
        port,
        socket: { close: end, end, error: end, data() {} },
      });
      cleanup.defer(() => socket.terminate());
      return silent;
    }),
  );
}

describe('createP2pRouter()', () => {
  test('lets a node join while another address has as many half-open connections as it likes', async () => {
    await using cleanup = new AsyncDisposableStack();
    const router = await routers.start(undefined, { addressLimits: ADDRESS_LIMITS });
    const silent = await openSilent(cleanup, portOf(router), 100);
    const open = () => silent.filter(({ isOpen }) => isOpen);
    await until(() => open().length <= HANDSHAKES_PER_ADDRESS);
    const client = await startClient(cleanup, '127.0.0.4');
    await client.dial(multiaddr(addressOf(router)));
    await until(() => router.stats().peers.connected === 1);
    // The others still wait for a word.
    expect(open()).toHaveLength(HANDSHAKES_PER_ADDRESS);
    await until(() => open().length === 0);
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
