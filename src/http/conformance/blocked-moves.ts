import { describe, expect, test } from 'bun:test';
import { appendFile } from 'node:fs/promises';
import { until } from '../../runtime/conditions.fixture.ts';
import type { ClientResponse, MoveEnd, MoveOptions } from '../transport.ts';
import { countDescriptors } from '../testing/open-descriptors.ts';
import { pattern } from '../testing/pattern.ts';
import { getRequest } from '../testing/raw-client.ts';
import { createScriptedGrowth } from '../testing/scripted-growth.ts';
import { okHead } from '../testing/scripted-peer.ts';
import { MIB, PATIENT, type Rig, TOO_MUCH } from './rig.ts';

/** Followers of a relay may learn of the last bytes so much later. */
const TOLD_BYTES = MIB / 4;

/** Long bodies of peers while their client does not read: bytes are everywhere on the way. */
export function testBlockedMoves({ serve, raw, peer, file, openAll, askBody, bodyOf, transport }: Rig): void {
  /** A peer's body that stands still because its client does not read. The handler goes on with `rest`. */
  const blocked = async (rest?: (client: ClientResponse, end: MoveEnd) => Promise<unknown>) => {
    const bytes = pattern(TOO_MUCH);
    const before = await countDescriptors();
    const source = await peer((socket) => {
      socket.write(okHead(bytes.length));
      socket.write(bytes);
    });
    const ends: MoveEnd[] = [];
    const cancel = new AbortController();
    let response: ClientResponse | undefined;
    let lastProgressMs = Infinity;
    const onProgress = () => {
      lastProgressMs = performance.now();
    };
    const server = await serve(async (client) => {
      response = client;
      client.begin({ status: 200, headers: {}, contentLength: bytes.length });
      const options = { ...PATIENT, signal: cancel.signal, onProgress };
      const end = await client.move(await askBody(source.port), options);
      ends.push(end);
      await rest?.(client, end);
    });
    const client = await raw(server);
    client.socket.pause();
    client.send(getRequest());
    await until(() => performance.now() - lastProgressMs > 100);
    if (response === undefined) throw new Error('There is no response');
    expect(ends).toEqual([]);
    /** All is given back: two sockets of the client's connection and two of the peer's, and what moved the body. */
    const givenBack = async () => {
      await until(() => source.connections.every(({ destroyed }) => destroyed));
      client.socket.destroy();
      // Two that listen, and a pipe that is kept.
      await until(async () => (await countDescriptors()) <= before + 4);
    };
    return { bytes, source, client, ends, cancel, response, givenBack };
  };

  describe('move() of a peer body whose client does not read', () => {
    test.each([{ how: 'RST' }, { how: 'FIN and RST' }])(
      'ends when the client leaves with $how, and gives all back',
      async ({ how }) => {
        const { client, ends, givenBack } = await blocked();
        if (how === 'RST') client.socket.resetAndDestroy();
        else client.socket.destroy();
        await until(() => ends.length === 1);
        expect(ends[0]?.how).toBe('client-gone');
        await givenBack();
      },
    );

    test('waits for a client that has half-closed', async () => {
      const { bytes, client, ends } = await blocked();
      client.socket.end();
      await until(() => client.socket.writableFinished);
      client.socket.resume();
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: bytes.length }]);
    });

    test('gives a client that is broken off what was moved, and FIN', async () => {
      const { bytes, client, ends, response, givenBack } = await blocked();
      response.breakOff();
      await until(() => ends.length === 1);
      expect(ends[0]?.how).toBe('client-gone');
      client.socket.resume();
      const body = await bodyOf(client, bytes.length);
      expect(client.end).toBe('fin');
      expect(body.length).toBe(ends[0]?.movedBytes ?? 0);
      expect(body.equals(bytes.subarray(0, body.length))).toBe(true);
      await givenBack();
    });

    test('goes on at the exact byte after it was cancelled', async () => {
      const { bytes, client, ends, cancel, givenBack } = await blocked(async (to) =>
        to.move(await openAll(bytes, to.movedBytes), PATIENT),
      );
      cancel.abort();
      await until(() => ends.length === 1);
      expect(ends[0]?.how).toBe('cancelled');
      client.socket.resume();
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      await givenBack();
    });

    test('goes on at the exact byte after the peer reset its connection', async () => {
      const { bytes, source, client, ends, givenBack } = await blocked(async (to) =>
        to.move(await openAll(bytes, to.movedBytes), PATIENT),
      );
      source.connections[0]?.resetAndDestroy();
      client.socket.resume();
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      await until(() => ends.length === 1);
      expect(ends[0]).toMatchObject({ how: 'source-broken', reason: 'connection-lost' });
      await givenBack();
    });

    test('is cancelled also when what follows it came in between', async () => {
      const bytes = pattern(TOO_MUCH);
      const { port } = await peer((socket) => {
        socket.write(okHead(bytes.length));
        socket.write(bytes);
      });
      const relay = transport().createRelay();
      const cancel = new AbortController();
      const ends: MoveEnd[] = [];
      let lastProgressMs = Infinity;
      const onProgress = () => {
        lastProgressMs = performance.now();
      };
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        const relayed = { relay, fromByte: 0 };
        const options = { ...PATIENT, signal: cancel.signal, onProgress, relayed };
        ends.push(await client.move(await askBody(port), options));
      });
      const client = await raw(server);
      client.socket.pause();
      client.send(getRequest());
      await until(() => performance.now() - lastProgressMs > 100);
      cancel.abort();
      relay.subscribe(() => {});
      await until(() => ends.length === 1);
      expect(ends[0]?.how).toBe('cancelled');
    });
  });

  describe('move() of a peer body with a relay that is followed later', () => {
    /** A program that is given a peer's body. The peer sends more when it is told to. */
    const start = async (bytes: Buffer) => {
      let sentBytes = 0;
      const source = await peer((socket) => {
        socket.write(okHead(bytes.length));
      });
      const send = async (toByte: number) => {
        await until(() => source.requests.length === 1);
        source.connections[0]?.write(bytes.subarray(sentBytes, toByte));
        sentBytes = toByte;
      };
      const relay = transport().createRelay();
      const ends: MoveEnd[] = [];
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        const options: MoveOptions = { ...PATIENT, relayed: { relay, fromByte: 0 } };
        ends.push(await client.move(await askBody(source.port), options));
      });
      const program = await raw(server);
      program.send(getRequest());
      const has = async (count: number) => {
        const { bodyStart } = await program.head();
        await until(() => program.received.length >= bodyStart + count);
      };
      const path = await file(Buffer.alloc(0));
      const growth = createScriptedGrowth();
      const write = async (toByte: number) => {
        await appendFile(path, bytes.subarray(growth.writtenBytes, toByte));
        growth.growTo(toByte);
      };
      const follow = async () => {
        const following = await serve(async (client) => {
          client.begin({ status: 200, headers: {}, contentLength: bytes.length });
          const range = { start: 0, end: bytes.length - 1 };
          const source = await transport().openGrowingFile(path, range, growth, relay);
          await client.move(source, { ...PATIENT, stallTimeoutMs: 60_000 });
        });
        const follower = await raw(following);
        follower.send(getRequest());
        const followerHas = async (count: number) => {
          const { bodyStart } = await follower.head();
          await until(() => follower.received.length >= bodyStart + count);
        };
        return { follower, has: followerHas };
      };
      return { send, program, has, write, follow, growth, ends };
    };

    test('gives who follows what comes from then on, before it is written', async () => {
      const bytes = pattern(6 * MIB + 13);
      const { send, program, has, write, follow, growth, ends } = await start(bytes);
      await send(3 * MIB);
      await has(3 * MIB);
      await write(3 * MIB);
      const { follower, has: followerHas } = await follow();
      await followerHas(3 * MIB);
      await send(4 * MIB);
      await followerHas(4 * MIB - TOLD_BYTES);
      await send(bytes.length);
      expect((await bodyOf(follower, bytes.length)).equals(bytes)).toBe(true);
      expect((await bodyOf(program, bytes.length)).equals(bytes)).toBe(true);
      expect(growth.writtenBytes).toBe(3 * MIB);
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: bytes.length }]);
    });

    test('goes on as before when the follower has left, and again with another one', async () => {
      const bytes = pattern(8 * MIB);
      const { send, program, has, write, follow } = await start(bytes);
      for (let at = 2 * MIB; at < bytes.length; at += 2 * MIB) {
        await send(at);
        await has(at);
        await write(at);
        const { follower, has: followerHas } = await follow();
        await followerHas(at);
        await send(at + MIB);
        await followerHas(at + MIB - TOLD_BYTES);
        follower.socket.destroy();
      }
      await send(bytes.length);
      expect((await bodyOf(program, bytes.length)).equals(bytes)).toBe(true);
    });

    test('mixes nothing when the follower comes while the program does not read', async () => {
      const bytes = pattern(TOO_MUCH);
      const { send, program, write, follow, growth } = await start(bytes);
      program.socket.pause();
      await send(bytes.length);
      const { follower } = await follow();
      program.socket.resume();
      expect((await bodyOf(program, bytes.length)).equals(bytes)).toBe(true);
      await write(bytes.length);
      growth.end();
      expect((await bodyOf(follower, bytes.length)).equals(bytes)).toBe(true);
    });
  });
}
