import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import type { Stream } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';

import { systemClock } from '../runtime/clock.ts';
import { until } from './conditions.fixture.ts';
import { contentCid } from './content-key.ts';
import { loadIdentity } from './identity.ts';
import { type KadNode, type RoutingTable } from './kad-node.ts';
import { KAD_PROTOCOL } from './limits.ts';
import { bytesField, concat, frame, numberField } from './protocol-buffers.ts';
import { createProviderDatastore, type ProviderDatastore } from './provider-datastore.ts';
import { createProviderLookups, type ProviderLookups } from './provider-lookups.ts';
import { startKadNode } from './testing/start-kad-node.ts';

const NEVER = new AbortController().signal;
const idOf = async () => peerIdFromPrivateKey(await loadIdentity());
const bytesOf = (address: string) => multiaddr(address).bytes;

let cleanup = new AsyncDisposableStack();
let asker: KadNode;
let datastore: ProviderDatastore;
let lookups: ProviderLookups;
/** How the only peer answers, and what it was asked. */
let answer: (stream: Stream) => void;
let questions = 0;
let streams = 0;

beforeEach(async () => {
  const other = await startKadNode(cleanup);
  asker = await startKadNode(cleanup);
  datastore = createProviderDatastore();
  [questions, streams] = [0, 0];
  const onStream = (stream: Stream) => {
    streams++;
    stream.addEventListener('message', () => {
      questions++;
      answer(stream);
    });
  };
  await other.libp2p.handle(KAD_PROTOCOL, onStream, { force: true });
  const peer = other.libp2p.peerId;
  await asker.libp2p.dial(other.announced().map((each) => multiaddr(`${each}/p2p/${peer.toString()}`)));
  const routingTable = { closestPeers: () => [peer] } as unknown as RoutingTable;
  lookups = cleanup.use(
    createProviderLookups({
      node: { libp2p: asker.libp2p, routingTable },
      datastore,
      clock: systemClock,
      allowLoopback: false,
    }),
  );
});
afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

/** An answer that names the providers. */
function naming(...providers: (readonly [id: Uint8Array, ...addresses: Uint8Array[]])[]): Uint8Array {
  const peers = providers.map(([id, ...addresses]) =>
    bytesField(9, concat([bytesField(1, id), ...addresses.map((each) => bytesField(2, each))])),
  );
  return frame([numberField(1, 3), ...peers]);
}

describe('createProviderLookups()', () => {
  test('lookup() leaves out what cannot be a provider for this node', async () => {
    const [good, elsewhere] = [await idOf(), await idOf()];
    const own = asker.libp2p.peerId.toMultihash().bytes;
    const id = elsewhere.toMultihash().bytes;
    const absurd = [
      '/ip4/127.0.0.1/tcp/1',
      '/ip6/::1/tcp/1',
      '/ip4/169.254.169.254/tcp/80',
      '/ip4/0.0.0.0/tcp/1',
    ];
    const more = [
      '/ip6/ff02::1/tcp/1',
      '/dns4/example.test/tcp/1',
      '/ip4/10.0.0.9/udp/1',
      '/ip6/::ffff:10.0.0.1/tcp/1',
    ];
    const bytes = naming(
      [own, bytesOf('/ip4/10.0.0.1/tcp/5001')],
      [id, ...[...absurd, ...more].map(bytesOf), Uint8Array.of(4, 1)],
      [Uint8Array.of(0), bytesOf('/ip4/10.0.0.2/tcp/5001')],
      [Uint8Array.of(0x12, 0x20, 1), bytesOf('/ip4/10.0.0.2/tcp/5001')],
      [good.toMultihash().bytes, bytesOf('/ip4/127.0.0.1/tcp/1'), bytesOf('/ip4/10.0.0.3/tcp/5001')],
      [good.toMultihash().bytes, bytesOf('/ip4/10.0.0.4/tcp/5001')],
    );
    answer = (stream) => void stream.send(bytes);
    expect(await Array.fromAsync(lookups.lookup('sha256:x', { signal: NEVER, limit: 20 }))).toEqual([
      { id: good.toString(), addresses: ['10.0.0.3'] },
    ]);
  });

  test('lookup() yields what this node has recorded first, and asks nobody if that is enough', async () => {
    const [near, far] = [await idOf(), await idOf()];
    await asker.libp2p.peerStore.patch(near, { multiaddrs: [multiaddr('/ip4/10.0.0.1/tcp/5001')] });
    const { bytes: multihash } = contentCid('sha256:x').multihash;
    for (const id of [near, far, asker.libp2p.peerId]) datastore.addRecord(multihash, id.toString());
    answer = (stream) =>
      void stream.send(
        naming(
          [near.toMultihash().bytes, bytesOf('/ip4/10.0.0.9/tcp/5001')],
          [far.toMultihash().bytes, bytesOf('/ip4/10.0.0.2/tcp/5001')],
        ),
      );
    const recorded = { id: near.toString(), addresses: ['10.0.0.1'] };
    const asked = { id: far.toString(), addresses: ['10.0.0.2'] };
    expect(await Array.fromAsync(lookups.lookup('sha256:x', { signal: NEVER, limit: 1 }))).toEqual([
      recorded,
    ]);
    expect(questions).toBe(0);
    const all = await Array.fromAsync(lookups.lookup('sha256:x', { signal: NEVER, limit: 9 }));
    expect([all, questions]).toEqual([[recorded, asked], 1]);
  });

  test('lookup() of one key at a time is one walk, of all keys one stream', async () => {
    const id = (await idOf()).toMultihash().bytes;
    answer = (stream) => void stream.send(naming([id, bytesOf('/ip4/10.0.0.3/tcp/5001')]));
    const keys = Array.from({ length: 30 }, (_, index) => `sha256:${index % 3}`);
    const found = await Promise.all(
      keys.map(async (key) => Array.fromAsync(lookups.lookup(key, { signal: NEVER, limit: 20 }))),
    );
    expect(found.every((peers) => peers.length === 1)).toBe(true);
    expect([questions, streams]).toEqual([3, 1]);
  });

  test('lookup() ends when the signal aborts while nobody answers, and at once', async () => {
    answer = () => {};
    const abort = new AbortController();
    const ended = Array.fromAsync(lookups.lookup('sha256:x', { signal: abort.signal, limit: 20 }));
    await until(() => questions === 1);
    const abortedMs = performance.now();
    abort.abort();
    expect(await ended).toEqual([]);
    expect(performance.now() - abortedMs).toBeLessThan(100);
  });

  test('lookup() ends soon when nobody answers', async () => {
    answer = () => {};
    const startedMs = performance.now();
    expect(await Array.fromAsync(lookups.lookup('sha256:x', { signal: NEVER, limit: 20 }))).toEqual([]);
    expect(performance.now() - startedMs).toBeLessThan(1500);
  });
});
