import { afterEach, describe, expect, test } from 'bun:test';
import type { Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';

import { systemClock } from '../../runtime/clock.ts';
import { failureOf, until } from '../../runtime/conditions.fixture.ts';
import { encodePing } from '../../dht/wire/add-provider-message.ts';
import type { NamedPeer } from '../../dht/wire/dht-message.ts';
import { ANSWER_TIMEOUT_MS, KAD_PROTOCOL } from '../limits.ts';
import { startKadNode } from '../testing/start-kad-node.ts';
import { createKeptStream } from './kept-stream.ts';

let cleanup = new AsyncDisposableStack();
afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

/** A stream of one node to another node that is not connected yet. */
async function start({ mayAsk = true, answers = true } = {}) {
  const [asker, asked] = [await startKadNode(cleanup), await startKadNode(cleanup)];
  const streams: Stream[] = [];
  const onStream = (stream: Stream) => void streams.push(stream);
  if (!answers) await asked.libp2p.handle(KAD_PROTOCOL, onStream, { force: true });
  const peer: NamedPeer = {
    id: asked.libp2p.peerId.toMultihash().bytes,
    addresses: asked.announced().map((address) => multiaddr(address).bytes),
  };
  const stop = new AbortController();
  const told = { ends: 0 };
  const kept = createKeptStream(
    {
      libp2p: asker.libp2p,
      allowLoopback: true,
      mayAsk: () => mayAsk,
      clock: systemClock,
      onEnd: () => void told.ends++,
    },
    { peer, protocol: KAD_PROTOCOL, answerTimeoutMs: ANSWER_TIMEOUT_MS },
    stop.signal,
  );
  const connectBack = async () => {
    const [address] = asker.announced();
    const id = asker.libp2p.peerId.toString();
    const count = asker.libp2p.getConnections().length;
    await asked.libp2p.dial(multiaddr(`${address}/p2p/${id}`), { force: true });
    await until(() => asker.libp2p.getConnections().length > count);
    const latest = asker.libp2p.getConnections().at(-1);
    if (latest === undefined) throw new Error('There is no connection');
    return latest;
  };
  return { kept, told, stop, streams, connectBack };
}

describe('createKeptStream()', () => {
  test('dials, opens, answers, and ends', async () => {
    const { kept, told } = await start();
    expect(kept.state).toBe('dialling');
    expect(kept.waitingSinceMs).toBeNumber();
    await kept.ask(encodePing());
    expect([kept.state, kept.waitingSinceMs, told.ends]).toEqual(['open', undefined, 0]);
    kept.end(new Error('Enough'));
    expect([kept.state, told.ends]).toEqual(['ended', 1]);
    await failureOf(kept.ask(encodePing()));
    expect(told.ends).toBe(1);
  });

  test('retires an open stream at once when nothing waits on it, and stays retired', async () => {
    const { kept, told, connectBack } = await start();
    await kept.ask(encodePing());
    kept.moved(await connectBack());
    expect([kept.state, told.ends]).toEqual(['retired', 1]);
  });

  test('lets a question on a retired stream have its answer', async () => {
    const { kept, told, streams, connectBack } = await start({ answers: false });
    const answer = kept.ask(encodePing());
    await until(() => streams.length === 1);
    kept.moved(await connectBack());
    expect([kept.state, told.ends]).toEqual(['retired', 0]);
    expect(kept.waitingSinceMs).toBeNumber();
    streams[0]?.send(encodePing());
    expect((await answer).length).toBe(encodePing().length - 1);
    expect(kept.waitingSinceMs).toBeUndefined();
  });

  test('ends when the peer must not be asked', async () => {
    const { kept, told } = await start({ mayAsk: false });
    expect((await failureOf(kept.ask(encodePing()))).message).toBe('The peer is no member of the cluster');
    expect([kept.state, kept.waitingSinceMs, told.ends]).toEqual(['ended', undefined, 1]);
  });

  test('ends when the signal aborts while it dials', async () => {
    const { kept, told, stop } = await start();
    const reason = new Error('The router has stopped');
    stop.abort(reason);
    await failureOf(kept.ask(encodePing()));
    expect([kept.state, told.ends]).toEqual(['ended', 1]);
  });
});
