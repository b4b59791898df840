import { describe, expect, test } from 'bun:test';

import { failureOf, until } from '../runtime/conditions.fixture.ts';
import { createHttpBootstrapper } from '../bootstrap/http-bootstrapper.ts';
import { loadIdentity } from './identity.ts';
import type { P2pRouter } from './p2p-router-contract.ts';
import { createStaticBootstrapper } from '../bootstrap/static-bootstrapper.ts';
import { addressOf, createTestRouters, find, portOf, stopAfterEach } from './testing/test-routers.ts';

const routers = createTestRouters();
const start: typeof routers.start = async (...args) => routers.start(...args);
stopAfterEach(routers);

/** Sends the bytes, waits for the other side's end (or not), and closes. */
async function throwAt(port: number, bytes: Uint8Array, isPatient: boolean): Promise<void> {
  const closed = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: { data() {}, close: () => closed.resolve(), error: () => closed.resolve() },
  });
  socket.write(bytes);
  if (isPatient) await Promise.race([closed.promise, Bun.sleep(50)]);
  socket.terminate();
}

describe('createP2pRouter()', () => {
  test('goes on when something else than a peer talks to its port', async () => {
    const first = await start();
    const port = portOf(first);
    const hello = '\x13/multistream/1.0.0\n';
    const garbage = [
      new Uint8Array(0),
      crypto.getRandomValues(new Uint8Array(64)),
      crypto.getRandomValues(new Uint8Array(65_536)),
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      Buffer.from(hello),
      Buffer.from(`${hello}\x07/noise\n`),
      Buffer.concat([Buffer.from(`${hello}\x07/noise\n`), crypto.getRandomValues(new Uint8Array(500))]),
      new Uint8Array(100_000).fill(0xff),
    ];
    for (const isPatient of [true, false]) {
      await Promise.all(garbage.map(async (bytes) => throwAt(port, bytes, isPatient)));
    }
    const second = await start(createStaticBootstrapper([addressOf(first)]));
    await first.advertise(['sha256:alive']);
    await until(async () => (await find(second, 'sha256:alive')).length === 1);
  });

  test('goes on when a hundred connections stay half open', async () => {
    const first = await start();
    const sockets = await Promise.all(
      Array.from({ length: 100 }, async () =>
        Bun.connect({ hostname: '127.0.0.1', port: portOf(first), socket: { data() {} } }),
      ),
    );
    const second = await start(createStaticBootstrapper([addressOf(first)]));
    await first.advertise(['sha256:alive']);
    await until(async () => (await find(second, 'sha256:alive')).length === 1);
    for (const socket of sockets) socket.terminate();
  });

  test('is ready at once and finds no peer when it is alone', async () => {
    const alone = await start();
    await until(() => alone.ready());
    await alone.advertise(['sha256:mine']);
    expect(await find(alone, 'sha256:mine')).toEqual([]);
    expect(await find(alone, 'sha256:other')).toEqual([]);
    expect(await alone.peers()).toEqual([]);
  });

  test('is ready at once when its HTTP bootstrap peer is itself', async () => {
    let self: P2pRouter | undefined;
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      async fetch(request) {
        if (self === undefined) return new Response(null, { status: 503 });
        const documents = await self.bootstrapDocuments();
        return Response.json(new URL(request.url).pathname === '/ids' ? documents.ids : documents.id);
      },
    });
    try {
      self = await start(createHttpBootstrapper({ url: `http://127.0.0.1:${server.port}` }));
      await until(() => self?.ready() === true);
      // Another node bootstraps from it, without its ID.
      const [address = ''] = self.self().multiaddrs;
      const second = await start({ kind: 'test', peers: async () => [{ multiaddrs: [address] }] });
      const first = self;
      await until(async () => (await first.bootstrapDocuments()).ids.length === 2);
      expect((await first.bootstrapDocuments()).ids[1]).toEqual({
        ID: second.self().id,
        Addrs: second.self().multiaddrs,
      });
      const third = await start(createHttpBootstrapper({ url: `http://127.0.0.1:${server.port}/ids` }));
      await until(async () => (await third.peers()).filter(({ connected }) => connected).length === 2);
    } finally {
      await server.stop(true);
    }
  });

  test('is alone when the only address it is given is its own', async () => {
    let own: string[] = ['/ip4/127.0.0.1/tcp/1'];
    const router = await start({ kind: 'test', peers: async () => [{ multiaddrs: own }] });
    own = [...router.self().multiaddrs];
    await until(() => router.ready());
    expect(await router.peers()).toEqual([]);
  });

  test('makes nodes that start together ready, and each other findable, within seconds', async () => {
    const first = await start();
    const bootstrapper = createStaticBootstrapper([addressOf(first)]);
    const startedMs = performance.now();
    const others = await Promise.all(Array.from({ length: 6 }, async () => start(bootstrapper)));
    const all = [first, ...others];
    await until(() => all.every((router) => router.ready()));
    await Promise.all(all.map(async (router, index) => router.advertise([`sha256:of-${index}`])));
    await until(async () => {
      const found = await Promise.all(
        all.flatMap((router) => all.map(async (_each, index) => find(router, `sha256:of-${index}`))),
      );
      return found.filter((peers) => peers.length === 1).length === all.length * (all.length - 1);
    });
    expect(performance.now() - startedMs).toBeLessThan(8000);
  });

  test('joins when the bootstrap peer starts after it', async () => {
    const privateKey = await loadIdentity();
    const placeholder = await start(undefined, { privateKey });
    const address = addressOf(placeholder);
    const port = portOf(placeholder);
    await routers.stop(placeholder);
    const early = await start(createStaticBootstrapper([address]));
    await early.advertise(['sha256:early']);
    const late = await start(undefined, { privateKey, listenAddress: `127.0.0.1:${port}` });
    await until(async () => (await find(late, 'sha256:early')).length === 1);
  });

  test('gives its records to a peer that comes back empty with the same identity', async () => {
    const privateKey = await loadIdentity();
    const first = await start(undefined, { privateKey });
    const [port, address] = [portOf(first), addressOf(first)];
    const second = await start(createStaticBootstrapper([address]));
    await until(async () => (await second.peers()).some(({ connected }) => connected));
    await second.advertise(['sha256:kept']);
    await until(() => first.stats().records === 1);
    await routers.stop(first);
    const again = await start(undefined, { privateKey, listenAddress: `127.0.0.1:${port}` });
    await until(() => again.stats().records === 1);
  });

  test('goes on when peers vanish while it advertises and looks up', async () => {
    const first = await start();
    const others = await Promise.all(
      Array.from({ length: 4 }, async () => start(createStaticBootstrapper([addressOf(first)]))),
    );
    const [survivor, ...leaving] = others;
    if (survivor === undefined) throw new Error('Unreachable');
    await until(async () => (await survivor.peers()).length === 4);
    const keys = Array.from({ length: 200 }, (_, index) => `sha256:${index}`);
    const work = [survivor.advertise(keys), ...keys.map(async (key) => find(first, key))];
    await Promise.all(leaving.map(async (router) => routers.stop(router)));
    await Promise.all(work);
    await until(async () => (await find(first, 'sha256:199')).length === 1);
    const startedMs = performance.now();
    await survivor.advertise(['sha256:after']);
    expect((await find(first, 'sha256:after')).length).toBe(1);
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  test('withdraw() takes back what this node says of itself', async () => {
    const first = await start();
    await first.advertise(['sha256:gone', 'sha256:kept']);
    await first.withdraw(['sha256:gone']);
    expect(first.stats().records).toBe(1);
    const second = await start(createStaticBootstrapper([addressOf(first)]));
    await until(async () => (await find(second, 'sha256:kept')).length === 1);
    expect(await find(second, 'sha256:gone')).toEqual([]);
  });

  test('listens on both IP families for :port', async () => {
    const router = await start(undefined, { listenAddress: ':0' });
    await throwAt(portOf(router), new Uint8Array(0), false);
  });

  test('says which address it cannot listen on', async () => {
    const first = await start();
    const listenAddress = `127.0.0.1:${portOf(first)}`;
    expect((await failureOf(start(undefined, { listenAddress }))).message).toContain(listenAddress);
  });

  test('refuses to announce nothing', async () => {
    const error = await failureOf(start(undefined, { announceAddresses: [] }));
    expect(error.message).toContain('No address to announce');
  });

  test('says in the log when it joins', async () => {
    const lines: string[] = [];
    const first = await start();
    await start(createStaticBootstrapper([addressOf(first)]), { log: lines });
    await until(() => lines.some((line) => line.includes('Router is ready')));
    expect(lines.join('')).toContain('Joined the cluster');
  });
});
