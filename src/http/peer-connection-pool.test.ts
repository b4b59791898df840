import { afterEach, describe, expect, test } from 'bun:test';
import { connectPeer, type PeerConnection } from './peer-connection.ts';
import { MAX_BUSY_PER_PEER, MAX_IDLE_PER_PEER, createPeerConnectionPool } from './peer-connection-pool.ts';
import { type ScriptedPeer, startScriptedPeer } from './testing/scripted-peer.ts';
import { until } from '../runtime/conditions.fixture.ts';

const peers: ScriptedPeer[] = [];
const setUp = async (idleTimeoutMs?: number, busyTimeoutMs?: number) => {
  const peer = await startScriptedPeer(() => {});
  peers.push(peer);
  const signal = new AbortController().signal;
  const connect = () => connectPeer('127.0.0.1', peer.port, { timeoutMs: 2000, signal });
  return { peer, connect, pool: createPeerConnectionPool({ idleTimeoutMs, busyTimeoutMs }) };
};

afterEach(async () => {
  for (const peer of peers.splice(0)) await peer[Symbol.asyncDispose]();
});

describe('createPeerConnectionPool()', () => {
  test('gives each connection to one taker, the last one put first', async () => {
    const { connect, pool } = await setUp();
    const [a, b] = [await connect(), await connect()];
    pool.put('x', a);
    pool.put('x', b);
    expect(pool.take('y')).toBeUndefined();
    expect(pool.take('x')).toBe(b);
    expect(pool.take('x')).toBe(a);
    expect(pool.take('x')).toBeUndefined();
    a.destroy();
    b.destroy();
  });

  test('keeps only so many per peer, and most of them for a moment only', async () => {
    const { connect, pool } = await setUp(undefined, 50);
    const connections: PeerConnection[] = [];
    for (let i = 0; i <= MAX_BUSY_PER_PEER; i++) connections.push(await connect());
    for (const connection of connections) pool.put('x', connection);
    const open = () => connections.filter(({ closed }) => !closed);
    expect(open()).toEqual(connections.slice(0, MAX_BUSY_PER_PEER));
    await until(() => open().length <= MAX_IDLE_PER_PEER);
    expect(open()).toEqual(connections.slice(0, MAX_IDLE_PER_PEER));
    pool.close();
    expect(connections.every(({ closed }) => closed)).toBe(true);
  });

  test.each([
    { what: 'its time is up', idleTimeoutMs: 20, act: () => {} },
    { what: 'the peer closes it', act: (peer: ScriptedPeer) => peer.connections[0]?.end() },
    { what: 'the peer resets it', act: (peer: ScriptedPeer) => peer.connections[0]?.resetAndDestroy() },
    {
      what: 'the peer sends what nobody asked for',
      act: (peer: ScriptedPeer) => peer.connections[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    },
  ])('drops an idle connection when $what', async ({ idleTimeoutMs, act }) => {
    const { peer, connect, pool } = await setUp(idleTimeoutMs);
    const connection = await connect();
    await until(() => peer.connections.length === 1);
    pool.put('x', connection);
    act(peer);
    await until(() => connection.closed);
    expect(pool.take('x')).toBeUndefined();
  });

  test('closes what is put after close()', async () => {
    const { connect, pool } = await setUp();
    pool.close();
    const connection = await connect();
    pool.put('x', connection);
    expect(connection.closed).toBe(true);
  });
});
