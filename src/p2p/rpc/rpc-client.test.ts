import { afterEach, describe, expect, test } from 'bun:test';
import type { Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';

import { failureOf, until } from '../../runtime/conditions.fixture.ts';
import { contentMultihash } from '../../dht/wire/content-key.ts';
import { encodeAddProviders } from '../../dht/wire/add-provider-message.ts';
import { encodePeer, type NamedPeer } from '../../dht/wire/dht-message.ts';
import { encodeGetProviders } from '../../dht/wire/get-providers-message.ts';
import { ANSWER_TIMEOUT_MS, KAD_PROTOCOL } from '../limits.ts';
import { bytesField, concat, frame, numberField } from '../../dht/wire/protocol-buffers.ts';
import { abortable } from '../../runtime/abortable.ts';
import { createRpcClient } from './rpc-client.ts';
import { openWay } from '../testing/losing-way.ts';
import { startKadNode } from '../testing/start-kad-node.ts';

const KEY = contentMultihash('sha256:wanted');
const NOTHING = frame([numberField(1, 3), bytesField(2, KEY)]);

let cleanup = new AsyncDisposableStack();
afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

/** Queries of one node, and another node as the first would hear of it. */
async function startPair() {
  const [asker, asked] = [await startKadNode(cleanup), await startKadNode(cleanup)];
  const queries = cleanup.use(createRpcClient({ libp2p: asker.libp2p, allowLoopback: true }));
  const peer: NamedPeer = {
    id: asked.libp2p.peerId.toMultihash().bytes,
    addresses: asked.announced().map((address) => multiaddr(address).bytes),
  };
  const kadStreams = () =>
    asker.libp2p
      .getConnections()
      .flatMap(({ streams }) => streams)
      .filter(({ protocol }) => protocol === KAD_PROTOCOL);
  return { asker, asked, queries, peer, kadStreams };
}

/** A pair whose second node answers as the test says. Counts the streams that it was opened. */
async function startHostile(onQuestion: (stream: Stream, count: number) => void) {
  const pair = await startPair();
  let streams = 0;
  const handler = (stream: Stream) => {
    streams++;
    let count = 0;
    stream.addEventListener('message', () => onQuestion(stream, ++count));
  };
  await pair.asked.libp2p.handle(KAD_PROTOCOL, handler, { force: true });
  return { ...pair, streams: () => streams };
}

/** A pair whose first node tells its queries of each connection; the second node connects to it once more, or first. */
async function startMoving() {
  const pair = await startPair();
  const { asker, asked, queries } = pair;
  const connections = () => asker.libp2p.getConnections(asked.libp2p.peerId);
  asker.libp2p.addEventListener('connection:open', ({ detail }) => queries.moved(detail));
  return {
    ...pair,
    /** The first node connects by a way that is lost then. */
    connectAndLose: async () => {
      const count = connections().length;
      const way = openWay(cleanup, Number(asked.announced()[0]?.split('/').at(-1)));
      const peer = asked.libp2p.peerId.toString();
      await asker.libp2p.dial(multiaddr(`/ip4/127.0.0.1/tcp/${way.port}/p2p/${peer}`), { force: true });
      await until(() => connections().length > count);
      return way;
    },
    comeBack: async () => {
      const count = connections().length;
      const [address] = asker.announced();
      await asked.libp2p.dial(multiaddr(`${address}/p2p/${asker.libp2p.peerId.toString()}`), { force: true });
      await until(() => connections().length > count);
    },
  };
}

describe('createRpcClient()', () => {
  test('asks a real node many things at a time and over time, on one stream', async () => {
    const { asker, asked, queries, peer, kadStreams } = await startPair();
    const { bytes: id } = asker.libp2p.peerId.toMultihash();
    const provider = encodePeer(
      id,
      asker.announced().map((address) => multiaddr(address).bytes),
    );
    await queries.deliver(peer, encodeAddProviders([KEY], provider));
    expect([asked.records.recordCount, asked.peers.size]).toEqual([1, 1]);
    const [opened] = kadStreams();
    const absent = Array.from({ length: 50 }, (_, index) => contentMultihash(`sha256:${index}`));
    const answers = await Promise.all([KEY, ...absent].map(async (key) => queries.ask(peer, key)));
    expect(answers.map(({ providers }) => providers.length)).toEqual([1, ...absent.map(() => 0)]);
    expect(answers[0]?.providers[0]?.id).toEqual(id);
    expect(kadStreams().map(({ id }) => id)).toEqual([opened?.id ?? '']);
    expect(queries.isSilent(peer)).toBe(false);
    queries[Symbol.dispose]();
    expect(kadStreams()).toEqual([]);
    expect((await failureOf(queries.ask(peer, KEY))).message).toBe('The router has stopped');
  });

  test('opens a stream anew when the peer ends each one after its answer', async () => {
    const { queries, peer, streams } = await startHostile((stream) => {
      stream.send(NOTHING);
      stream.close().catch(() => {});
    });
    for (let count = 0; count < 3; count++) expect((await queries.ask(peer, KEY)).providers).toEqual([]);
    expect(streams()).toBe(3);
  });

  test('tries once more when the peer has ended a stream that was kept', async () => {
    const { queries, peer, streams } = await startHostile((stream, count) => {
      if (count === 1) stream.send(NOTHING);
      else stream.abort(new Error('Enough'));
    });
    await queries.ask(peer, KEY);
    await queries.ask(peer, KEY);
    expect(streams()).toBe(2);
    expect(queries.isSilent(peer)).toBe(false);
  });

  test('gives up after the second stream that ends without an answer, and leaves the peer alone', async () => {
    const { asked, queries, peer, streams } = await startHostile((stream) => stream.abort(new Error('No')));
    await failureOf(queries.ask(peer, KEY));
    expect([streams(), queries.isSilent(peer)]).toEqual([2, true]);
    queries.heard(asked.libp2p.peerId);
    expect(queries.isSilent(peer)).toBe(false);
  });

  test('knows a peer that never answers for one, and gives up the stream', async () => {
    const { queries, peer, kadStreams } = await startHostile(() => {});
    const failure = failureOf(queries.ask(peer, KEY));
    await until(() => queries.isSilent(peer));
    expect((await failure).message).toBe('The peer does not answer');
    expect(queries.isSilent(peer)).toBe(true);
    await until(() => kadStreams().length === 0);
  });

  test('asks a peer that came back where it is now, while an older question waits where it was', async () => {
    const { queries, peer, connectAndLose, comeBack } = await startMoving();
    const way = await connectAndLose();
    await queries.ask(peer, KEY);
    way.lose();
    let isWaiting = true;
    const waiting = queries.ask(peer, KEY).finally(() => {
      isWaiting = false;
    });
    await until(() => queries.isSilent(peer));
    await comeBack();
    expect((await queries.ask(peer, KEY)).providers).toEqual([]);
    expect([isWaiting, queries.isSilent(peer)]).toEqual([true, false]);
    queries[Symbol.dispose]();
    expect((await failureOf(waiting)).message).toBe('The router has stopped');
  });

  test('asks there, too, what waits for a stream to where it was', async () => {
    const { queries, peer, connectAndLose, comeBack } = await startMoving();
    (await connectAndLose()).lose();
    const startedMs = performance.now();
    const waiting = queries.ask(peer, KEY);
    await comeBack();
    await Promise.all([waiting, queries.ask(peer, KEY)]);
    expect(performance.now() - startedMs).toBeLessThan(ANSWER_TIMEOUT_MS / 2);
    expect(queries.isSilent(peer)).toBe(false);
  });

  test('asks there what waits for a connection to where it was', async () => {
    const { queries, peer, comeBack } = await startMoving();
    const hung = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    cleanup.defer(() => hung.stop(true));
    const waiting = queries.ask(
      { ...peer, addresses: [multiaddr(`/ip4/127.0.0.1/tcp/${hung.port}`).bytes] },
      KEY,
    );
    await comeBack();
    await Promise.all([waiting, queries.ask(peer, KEY)]);
    expect(queries.isSilent(peer)).toBe(false);
  });

  test('asks there what waits for a connection to where it was, also when this node has found it', async () => {
    const { asker, asked, queries, peer } = await startMoving();
    const hung = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    cleanup.defer(() => hung.stop(true));
    const waiting = queries.ask(
      { ...peer, addresses: [multiaddr(`/ip4/127.0.0.1/tcp/${hung.port}`).bytes] },
      KEY,
    );
    // As bootstrapping by DNS does: it does not know which peer is there.
    await asker.libp2p.dial(multiaddr(asked.announced()[0] ?? ''));
    await Promise.all([waiting, queries.ask(peer, KEY)]);
    expect(queries.isSilent(peer)).toBe(false);
  });

  test('asks on the connection that is left when another ends while it opens a stream there', async () => {
    const { asker, asked, queries, peer, connectAndLose, comeBack } = await startMoving();
    await comeBack();
    (await connectAndLose()).lose();
    const [, latest] = asker.libp2p.getConnections(asked.libp2p.peerId);
    const waiting = queries.ask(peer, KEY);
    latest?.abort(new Error('There is another connection to the peer'));
    expect((await waiting).providers).toEqual([]);
    expect(queries.isSilent(peer)).toBe(false);
  });

  test('fails when a stream cannot be opened on the newer connection either', async () => {
    const { asker, asked, queries, peer, comeBack } = await startMoving();
    await comeBack();
    const stuck = new Error('Stuck');
    for (const connection of asker.libp2p.getConnections(asked.libp2p.peerId)) {
      connection.newStream = async (_protocol, { signal } = {}) =>
        abortable(new Promise<never>(() => {}), signal);
    }
    asker.libp2p.addEventListener('connection:open', ({ detail }) => {
      detail.newStream = async (_protocol, { signal } = {}) => abortable(Promise.reject(stuck), signal);
    });
    const failure = failureOf(queries.ask(peer, KEY));
    await until(() => queries.isSilent(peer));
    await comeBack();
    expect(await failure).toBe(stuck);
  });

  test('puts no question twice to a peer that is late and connects again and again', async () => {
    const { asked, queries, peer, comeBack } = await startMoving();
    const streams: Stream[] = [];
    let bytes = 0;
    const handler = (stream: Stream) => {
      streams.push(stream);
      stream.addEventListener('message', ({ data }) => void (bytes += data.byteLength));
    };
    await asked.libp2p.handle(KAD_PROTOCOL, handler, { force: true });
    const waiting = Array.from({ length: 50 }, async () => queries.ask(peer, KEY));
    const sentBytes = waiting.length * encodeGetProviders(KEY).byteLength;
    await until(() => bytes === sentBytes);
    await comeBack();
    await comeBack();
    streams[0]?.send(concat(waiting.map(() => NOTHING)));
    expect((await Promise.all(waiting)).length).toBe(50);
    expect([streams.length, bytes]).toEqual([1, sentBytes]);
  });

  const provider = (id: Uint8Array) => bytesField(9, bytesField(1, id));
  const hostile: Record<string, Uint8Array> = {
    'another type': frame([numberField(1, 4)]),
    'another key': frame([numberField(1, 3), bytesField(2, KEY.slice(1))]),
    'more than a megabyte': frame([numberField(1, 3), bytesField(3, new Uint8Array(1_048_576))]),
    'a length without end': new Uint8Array(30).fill(0xff),
    'two answers': concat([NOTHING, NOTHING]),
    'a provider that is cut off': frame([numberField(1, 3), bytesField(9, Uint8Array.of(0x0a, 9))]),
    text: Buffer.from(`HTTP/1.1 400 Bad Request\r\n\r\n${' '.repeat(100)}`),
  };
  for (const [name, bytes] of Object.entries(hostile)) {
    test(`ends the stream of a peer that answers with ${name}`, async () => {
      const { queries, peer, kadStreams } = await startHostile((stream) => stream.send(bytes));
      await queries.ask(peer, KEY).catch(() => {});
      await until(() => kadStreams().length === 0);
    });
  }

  test('takes the first of thousands of providers', async () => {
    const many = Array.from({ length: 10_000 }, (_, index) => provider(Buffer.from(`${index}`)));
    const { queries, peer } = await startHostile((stream) =>
      stream.send(frame([numberField(1, 3), ...many])),
    );
    expect((await queries.ask(peer, KEY)).providers).toHaveLength(64);
  });

  test('dials no peer that is named with addresses that make no sense, or an ID that does not', async () => {
    const { queries, peer } = await startPair();
    const strict = cleanup.use(
      createRpcClient({ libp2p: (await startKadNode(cleanup)).libp2p, allowLoopback: false }),
    );
    const absurd = [
      '/ip4/0.0.0.0/tcp/1',
      '/ip4/224.0.0.1/tcp/1',
      '/dns4/localhost/tcp/1',
      '/ip4/1.2.3.4/udp/1',
      '/unix/tmp',
    ];
    const addresses = [...absurd.map((address) => multiaddr(address).bytes), Uint8Array.of(255, 255)];
    const named: [typeof queries, NamedPeer][] = [
      [queries, { id: peer.id, addresses }],
      [strict, peer],
      [queries, { id: Uint8Array.of(1, 2, 3), addresses: peer.addresses }],
    ];
    for (const [asking, each] of named) {
      await failureOf(asking.ask(each, KEY));
      expect(asking.isSilent(each)).toBe(true);
    }
  });
});
