import { afterEach, describe, expect, test } from 'bun:test';
import type { Socket } from 'bun';
import { multiaddr } from '@multiformats/multiaddr';

import { contentMultihash } from '../dht/content-key.ts';
import { until } from '../runtime/conditions.fixture.ts';
import { watchOlderConnections } from './older-connections.ts';
import { createProviderQueries } from './provider-queries.ts';
import { startKadNode } from './testing/start-kad-node.ts';

const KEY = contentMultihash('sha256:wanted');

let cleanup = new AsyncDisposableStack();
afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

/** A way to the port that can be lost: then nothing comes through any more, and neither end is told. */
async function startWay(port: number) {
  let isLost = false;
  const ends = new Set<Socket>();
  /** Hands on what comes to the other end, once that is there. */
  const handler = (other: Promise<Socket>) => ({
    data: (_: Socket, bytes: Buffer) => {
      const kept = Uint8Array.from(bytes);
      void other.then((socket) => void (isLost || socket.write(kept)));
    },
    close: () => void other.then((socket) => void (isLost || socket.end())),
  });
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(client) {
        ends.add(client);
        const target = Bun.connect({ hostname: '127.0.0.1', port, socket: handler(Promise.resolve(client)) });
        void target.then((socket) => ends.add(socket));
        client.reload({ socket: handler(target) });
      },
      data() {},
    },
  });
  cleanup.defer(() => {
    for (const end of ends) end.terminate();
    server.stop(true);
  });
  return {
    port: server.port,
    lose() {
      isLost = true;
    },
  };
}

/** A node that has a connection to another one, and has asked it. */
async function startPair(timeoutMs: number) {
  const [node, other] = [await startKadNode(cleanup), await startKadNode(cleanup)];
  const queries = cleanup.use(createProviderQueries({ libp2p: node.libp2p, allowLoopback: true }));
  const watching = new AbortController();
  cleanup.defer(() => watching.abort());
  watchOlderConnections({ libp2p: node.libp2p, onNewer: (peer) => queries.moved(peer) }, watching.signal, {
    timeoutMs,
  });
  const id = other.libp2p.peerId;
  const port = Number(other.announced()[0]?.split('/').at(-1));
  const way = await startWay(port);
  const first = await node.libp2p.dial(multiaddr(`/ip4/127.0.0.1/tcp/${way.port}/p2p/${id.toString()}`));
  const ask = async () => queries.ask({ id: id.toMultihash().bytes, addresses: [] }, KEY);
  await ask();
  return {
    way,
    first,
    ask,
    connections: () => node.libp2p.getConnections(id),
    /** The other node connects anew. */
    comeBack: async () => {
      const [address] = node.announced();
      await other.libp2p.dial(multiaddr(`${address}/p2p/${node.libp2p.peerId.toString()}`), { force: true });
      await until(() => node.libp2p.getConnections(id).length === 2);
    },
  };
}

describe('watchOlderConnections()', () => {
  test('ends a connection that leads nowhere when the peer connects anew, and asks there at once', async () => {
    const { way, first, ask, connections, comeBack } = await startPair(2000);
    way.lose();
    const waiting = ask();
    await comeBack();
    // What waits on the old one is asked again, what comes is asked on the new one: long before the old one is given up.
    await waiting;
    await ask();
    expect(first.status).toBe('open');
    await until(() => connections().length === 1);
    expect(first.status).not.toBe('open');
    await ask();
  });

  test('leaves one alone that works', async () => {
    const { first, ask, connections, comeBack } = await startPair(300);
    await comeBack();
    await ask();
    await Bun.sleep(600);
    expect([first.status, connections().length]).toEqual(['open', 2]);
    expect(first.streams.filter(({ status }) => status === 'open')).toEqual([]);
  });
});
