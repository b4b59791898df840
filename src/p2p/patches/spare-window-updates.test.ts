import { expect, test } from 'bun:test';
import { YamuxStream } from '@chainsafe/libp2p-yamux/stream';
import { multiaddr } from '@multiformats/multiaddr';

import { encodePing } from '../../dht/wire/add-provider-message.ts';
import { encodeMessage, MESSAGE_TYPES } from '../../dht/wire/dht-message.ts';
import { contentMultihash } from '../../dht/wire/content-key.ts';
import { concat } from '../../dht/wire/protocol-buffers.ts';
import { until } from '../../runtime/conditions.fixture.ts';
import { KAD_PROTOCOL } from '../limits.ts';
import { createRequestStream } from '../rpc/request-stream.ts';
import { startKadNode } from '../testing/start-kad-node.ts';

/** A frame of yamux; FIN is 4, RST is 8 (its specification). */
interface Update {
  readonly header: { readonly flag: number };
}
const ENDS = 4 | 8;

const LIMITS = { maxAnswerBytes: 1_000_000, maxWaiting: 100_000, answerTimeoutMs: 60_000, idleMs: 60_000 };

test('spareWindowUpdates() leaves out the updates of handshakes: one opens a stream, one accepts it', async () => {
  await using cleanup = new AsyncDisposableStack();
  const [node, other] = [await startKadNode(cleanup), await startKadNode(cleanup)];
  const streams = YamuxStream.prototype as unknown as {
    handleWindowUpdate: (this: YamuxStream, frame: Update) => void;
  };
  const handle = streams.handleWindowUpdate;
  const updates = new Map<YamuxStream, number>();
  streams.handleWindowUpdate = function (this: YamuxStream, frame) {
    // The end of a stream is told in the same way.
    if ((frame.header.flag & ENDS) === 0) updates.set(this, (updates.get(this) ?? 0) + 1);
    handle.call(this, frame);
  };
  cleanup.defer(() => void (streams.handleWindowUpdate = handle));
  const target = multiaddr(`${node.announced()[0]}/p2p/${node.libp2p.peerId.toString()}`);
  const requests = createRequestStream(await other.libp2p.dialProtocol(target, KAD_PROTOCOL), LIMITS);
  await requests.ask(encodePing());
  requests.end(new Error('Done'));
  expect(updates.size).toBeGreaterThan(1);
  expect(Math.max(...updates.values())).toBe(1);
});

test('spareWindowUpdates() leaves out the updates for small messages, and lets megabytes pass both ways', async () => {
  await using cleanup = new AsyncDisposableStack();
  const [node, other] = [await startKadNode(cleanup), await startKadNode(cleanup)];
  const target = multiaddr(`${node.announced()[0]}/p2p/${node.libp2p.peerId.toString()}`);
  const stream = await other.libp2p.dialProtocol(target, KAD_PROTOCOL);
  const updates = { count: 0 };
  const yamux = stream as unknown as { handleWindowUpdate(frame: unknown): void };
  const handle = yamux.handleWindowUpdate.bind(yamux);
  yamux.handleWindowUpdate = (frame) => {
    updates.count++;
    handle(frame);
  };
  const requests = createRequestStream(stream, LIMITS);
  await requests.ask(encodePing());
  updates.count = 0;
  for (let count = 0; count < 50; count++) await requests.ask(encodePing());
  expect(updates.count).toBe(0);

  // Answers of a kilobyte each to questions of forty bytes: both windows are used up several times over.
  for (let number = 1; number <= 20; number++) {
    node.peers.put(Uint8Array.of(1, number), { addresses: [Uint8Array.of(4, 10, 0, 0, number, 6, 0, 1)] });
  }
  const question = encodeMessage({ type: MESSAGE_TYPES.getProviders, key: contentMultihash('x') });
  let answered = 0;
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      Array.from({ length: 1000 }, async () => {
        await requests.ask(question);
        answered++;
      }),
    );
  }
  await until(() => answered === 20_000);
  expect(updates.count).toBeGreaterThan(0);
  expect(concat([question]).length * answered).toBeGreaterThan(500_000);
  requests.end(new Error('Done'));
});
