import { afterEach, describe, expect, test } from 'bun:test';
import type { Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';

import { encodeAddProviders, encodePing } from '../../dht/wire/add-provider-message.ts';
import { contentMultihash } from '../../dht/wire/content-key.ts';
import { encodeMessage, encodePeer, MESSAGE_TYPES } from '../../dht/wire/dht-message.ts';
import { MAX_MESSAGE_BYTES } from '../../dht/limits.ts';
import { bytesField, concat, frame, numberField } from '../../dht/wire/protocol-buffers.ts';
import { until } from '../../runtime/conditions.fixture.ts';
import { KAD_PROTOCOL } from '../limits.ts';
import { createRpcServer } from './rpc-server.ts';
import { createTestFrames, startKadNode, type TestKadNode } from '../testing/start-kad-node.ts';

const KEY = contentMultihash('sha256:x');

let cleanup = new AsyncDisposableStack();
afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

/** A real node, another node that talks to it over one stream, and what comes back. */
async function startPair() {
  const [node, other] = [await startKadNode(cleanup), await startKadNode(cleanup)];
  const open = async () => {
    const stream = await other.libp2p.dialProtocol(multiaddr(addressOf(node)), KAD_PROTOCOL);
    const answers = { bytes: 0 };
    stream.addEventListener('message', ({ data }) => void (answers.bytes += data.byteLength));
    return { stream, answers };
  };
  const { bytes: id } = other.libp2p.peerId.toMultihash();
  const provider = encodePeer(
    id,
    other.announced().map((address) => multiaddr(address).bytes),
  );
  return { node, other, open, provider };
}

function addressOf(node: TestKadNode): string {
  return `${node.announced()[0]}/p2p/${node.libp2p.peerId.toString()}`;
}

async function sendAll(stream: Stream, bytes: Uint8Array, chunkBytes: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    if (!stream.send(bytes.subarray(at, at + chunkBytes))) await stream.onDrain();
  }
}

describe('createRpcServer()', () => {
  test('answers many questions on one stream, however they are cut', async () => {
    const { node, open, provider } = await startPair();
    const questions = concat([
      encodeAddProviders([KEY], provider),
      ...Array.from({ length: 20 }, () => encodePing()),
    ]);
    for (const chunkBytes of [1, 7, questions.length]) {
      const { stream, answers } = await open();
      await sendAll(stream, questions, chunkBytes);
      await until(() => answers.bytes === 20 * encodePing().length);
      await stream.close();
    }
    expect(node.records.recordCount).toBe(1);
  });

  const own = contentMultihash('sha256:y');
  const hostile: Record<string, (provider: Uint8Array) => Uint8Array> = {
    'a message that is too long': () => frame([bytesField(2, new Uint8Array(MAX_MESSAGE_BYTES))]),
    'a length without end': () => new Uint8Array(30).fill(0xff),
    'a message that is no message': () => Uint8Array.of(2, 0xff, 0xff),
    text: () => Buffer.from(`GET / HTTP/1.1\r\n\r\n${' '.repeat(300)}`),
    'a value to keep': () => encodeMessage({ type: MESSAGE_TYPES.putValue, key: own }),
    'a record with a key of another length': (provider) =>
      encodeAddProviders([own.subarray(0, 20)], provider),
    'an unknown type': () => frame([numberField(1, 99), bytesField(2, own)]),
  };
  for (const [name, bytesOf] of Object.entries(hostile)) {
    test(`resets a stream with ${name}, keeps the connection and what came before`, async () => {
      const { node, other, open, provider } = await startPair();
      const { stream, answers: first } = await open();
      stream.send(concat([encodeAddProviders([KEY], provider), encodePing()]));
      await until(() => first.bytes > 0);
      stream.send(bytesOf(provider));
      await until(() => stream.status !== 'open');
      expect(node.records.providersOf(KEY)).toHaveLength(1);
      expect(node.records.recordCount).toBe(1);
      expect(other.libp2p.getConnections(node.libp2p.peerId)).toHaveLength(1);
      const { stream: next, answers } = await open();
      next.send(encodePing());
      await until(() => answers.bytes > 0);
    });
  }

  test('takes no record of another peer', async () => {
    const { node, other, open } = await startPair();
    const { bytes: foreign } = node.libp2p.peerId.toMultihash();
    const { stream, answers } = await open();
    stream.send(
      concat([
        encodeAddProviders([KEY], encodePeer(foreign, [multiaddr('/ip4/10.0.0.1/tcp/1').bytes])),
        encodePing(),
      ]),
    );
    await until(() => answers.bytes > 0);
    expect([node.records.recordCount, node.peers.size]).toEqual([0, 0]);
    expect(other.libp2p.getConnections()).toHaveLength(1);
  });

  test('answers no further than a peer reads its answers, and the rest when it does', async () => {
    const [node, other] = [await startKadNode(cleanup), await startKadNode(cleanup)];
    const answerBytes = 5000;
    const questions = 5000;
    let answered = 0;
    const answer = () => {
      answered++;
      return new Uint8Array(answerBytes);
    };
    const handler = createRpcServer({ answer }, createTestFrames());
    await node.libp2p.handle('/test', handler);
    const stream = await other.libp2p.dialProtocol(multiaddr(addressOf(node)), '/test');
    let readBytes = 0;
    stream.addEventListener('message', ({ data }) => void (readBytes += data.byteLength));
    stream.pause();
    const sent = sendAll(stream, concat(Array.from({ length: questions }, encodePing)), 60_000);
    await until(() => answered > 10);
    await Bun.sleep(200);
    expect(answered * answerBytes).toBeLessThan(2 * 1024 * 1024);
    stream.resume();
    await sent;
    // Half closed: it is answered to the end all the same.
    const closed = stream.close();
    await until(() => readBytes === questions * answerBytes);
    expect(answered).toBe(questions);
    await closed;
  });

  test('reads no further from a peer that does not read its answers', async () => {
    const { node, open } = await startPair();
    const { stream } = await open();
    stream.pause();
    const question = encodeMessage({ type: MESSAGE_TYPES.getProviders, key: KEY });
    const flood = concat(Array.from({ length: 1000 }, () => question));
    for (let round = 0; round < 40; round++) {
      if (!stream.send(flood) && round > 20) break;
    }
    // The node still answers others.
    const { stream: next, answers } = await open();
    next.send(encodePing());
    await until(() => answers.bytes > 0);
    expect(node.libp2p.getConnections()).toHaveLength(1);
    stream.abort(new Error('Done'));
  });
});
