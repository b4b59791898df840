import { describe, expect, test } from 'bun:test';
import { multiaddr } from '@multiformats/multiaddr';

import { until } from '../runtime/conditions.fixture.ts';
import { planMemory } from '../runtime/memory/memory-plan.ts';
import {
  ADDRESS_LIMITS,
  CONNECTIONS_PER_ADDRESS,
  CONNECTION_BYTES,
  HANDSHAKES_PER_ADDRESS,
} from './router-budget.ts';
import { createStaticBootstrapper } from '../bootstrap/static-bootstrapper.ts';
import { startClient } from './testing/start-client.ts';
import { addressOf, createTestRouters, find, portOf, stopAfterEach } from './testing/test-routers.ts';

const routers = createTestRouters();
stopAfterEach(routers);

/** Connections that a node has room for. */
const ROOM = 3;
/** Records of a peer that parted too early come by then, in ms: ten seconds later, on a machine with other things to do. */
const LATE_RECORDS_MS = 40_000;

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
  test('parts with peers when there are more than it has room for, and everything is found all the same', async () => {
    const hub = await routers.start(undefined, {
      memory: { ...planMemory(), routerConnectionsBytes: ROOM * CONNECTION_BYTES },
    });
    const log: string[] = [];
    const others = await Promise.all(
      Array.from({ length: 3 * ROOM }, async () =>
        routers.start(createStaticBootstrapper([addressOf(hub)]), { log }),
      ),
    );
    for (const [index, router] of others.entries()) await router.advertise([`sha256:${index}`]);
    await hub.advertise(['sha256:hub']);
    const all = others.length + 1;
    await until(() => others.every((router) => router.stats().knownPeers === all - 1), LATE_RECORDS_MS);
    await until(() => hub.stats().peers.connected <= ROOM && hub.stats().refused.shed_peer > 0);
    for (const router of [hub, ...others]) {
      const { suspect, dead } = router.stats().peers;
      expect([suspect, dead]).toEqual([0, 0]);
      // Records are on their way for a moment.
      const key = router === others[0] ? 'sha256:hub' : 'sha256:0';
      await until(async () => (await find(router, key)).length === 1, LATE_RECORDS_MS);
    }
    for (const router of others) {
      await until(async () => (await find(router, 'sha256:hub')).length === 1, LATE_RECORDS_MS);
    }
    await until(() => hub.stats().peers.connected <= ROOM);
    expect(hub.stats().knownPeers).toBe(all - 1);
    expect(log.filter((line) => line.includes('A peer has left'))).toEqual([]);
  });

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
