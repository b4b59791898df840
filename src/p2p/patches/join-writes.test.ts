import { expect, spyOn, test } from 'bun:test';
import { multiaddr } from '@multiformats/multiaddr';

import { encodePing } from '../../dht/wire/add-provider-message.ts';
import { joinWrites } from './join-writes.ts';
import { KAD_PROTOCOL } from '../limits.ts';
import { createRequestStream } from '../rpc/request-stream.ts';
import { startKadNode } from '../testing/start-kad-node.ts';

/** What libp2p's connection is made of; the types hide it. */
interface Below {
  readonly maConn: { readonly socket: { write(bytes: Uint8Array): boolean } };
}

test('joinWrites() makes one write of each message on a connection', async () => {
  await using cleanup = new AsyncDisposableStack();
  const [node, other] = [await startKadNode(cleanup), await startKadNode(cleanup)];
  const target = multiaddr(`${node.announced()[0]}/p2p/${node.libp2p.peerId.toString()}`);
  const requests = createRequestStream(await other.libp2p.dialProtocol(target, KAD_PROTOCOL), {
    maxAnswerBytes: 1000,
    maxWaiting: 100,
    answerTimeoutMs: 60_000,
    idleMs: 60_000,
  });
  await requests.ask(encodePing());
  const writes = [node, other].map(({ libp2p }) => {
    const [connection] = libp2p.getConnections();
    return spyOn((connection as unknown as Below).maConn.socket, 'write');
  });
  for (let count = 0; count < 20; count++) await requests.ask(encodePing());
  for (const write of writes) expect(write).toHaveBeenCalledTimes(20);
  requests.end(new Error('Done'));
});

test('joinWrites() leaves what sends in another way', () => {
  const connection = {};
  expect(joinWrites(connection)).toBe(connection);
  expect(connection).toEqual({});
});
