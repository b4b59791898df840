import { afterEach, describe, expect, test } from 'bun:test';
import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';

import { until } from '../../runtime/conditions.fixture.ts';
import { startClient } from '../testing/start-client.ts';
import { startKadNode } from '../testing/start-kad-node.ts';

/** The part of libp2p's connections below streams. */
interface Raw {
  readonly muxer: { readonly maConn: { send(bytes: Uint8Array): boolean } };
}

let cleanup = new AsyncDisposableStack();
afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

async function startPair() {
  const node = await startKadNode(cleanup);
  const client = await startClient(cleanup, '127.0.0.1');
  const address = `${node.announced()[0]}/p2p/${node.libp2p.peerId.toString()}`;
  const connection: Connection = await client.dial(multiaddr(address));
  await until(() => node.libp2p.getConnections().length === 1);
  return { node, raw: (connection as unknown as Raw).muxer.maConn };
}

/** A frame's head: version, type, flags, stream, length. */
function head(type: number, flags: number, stream: number, length: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(1, type);
  view.setUint16(2, flags);
  view.setUint32(4, stream);
  view.setUint32(8, length);
  return bytes;
}

describe('guardedYamux()', () => {
  test.each([1024 ** 3, 2 ** 32 - 1, 256 * 1024 + 1])(
    'ends a connection on which a frame of %d bytes is to come',
    async (length) => {
      const { node, raw } = await startPair();
      raw.send(head(0, 1, 101, length));
      await until(() => node.libp2p.getConnections().length === 0);
    },
  );

  test('lets few streams wait for a protocol, and the connection go on', async () => {
    const { node, raw } = await startPair();
    for (let stream = 101; stream < 1101; stream += 2) raw.send(head(1, 1, stream, 0));
    const streams = () => node.libp2p.getConnections()[0]?.streams.length ?? -1;
    await until(() => streams() > 0);
    raw.send(head(2, 1, 0, 7));
    await until(() => streams() <= 20);
    expect(node.libp2p.getConnections()).toHaveLength(1);
  });

  test('ends a stream that sends much and names no protocol', async () => {
    const { node, raw } = await startPair();
    const streams = () => node.libp2p.getConnections()[0]?.streams.map(({ id }) => id) ?? [];
    raw.send(head(1, 1, 101, 0));
    await until(() => streams().includes('101'));
    for (let count = 0; count < 9; count++) {
      raw.send(Uint8Array.from([...head(0, 0, 101, 8192), ...new Uint8Array(8192).fill(1)]));
    }
    await until(() => !streams().includes('101'));
  });
});
