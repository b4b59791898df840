import { describe, expect, test } from 'bun:test';
import type { Socket } from 'node:net';
import { until } from '../../runtime/conditions.fixture.ts';
import type { MoveEnd } from '../transport.ts';
import { pattern } from '../testing/pattern.ts';
import { getRequest } from '../testing/raw-client.ts';
import { okHead } from '../testing/scripted-peer.ts';
import { MIB, PATIENT, type Rig } from './rig.ts';

/** More than any transport has room for in one way. */
const MANY = 200;

/** Moves side by side, and one after the other on the same connections. */
export function testManyMoves({ serve, raw, peer, openAll, askBody, bodyOf }: Rig): void {
  describe('many moves', () => {
    test(`moves ${MANY} bodies of peers that all wait in the middle`, async () => {
      const bytes = pattern(200_000);
      const half = bytes.length / 2;
      const peers: Socket[] = [];
      const { port } = await peer((socket) => {
        peers.push(socket);
        socket.write(okHead(bytes.length));
        socket.write(bytes.subarray(0, half));
      });
      const ends: MoveEnd[] = [];
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        ends.push(await client.move(await askBody(port), { ...PATIENT, stallTimeoutMs: 60_000 }));
      });
      const clients = await Promise.all(Array.from({ length: MANY }, () => raw(server)));
      for (const client of clients) client.send(getRequest());
      for (const client of clients) {
        const { bodyStart } = await client.head();
        await until(() => client.received.length === bodyStart + half);
      }
      expect(ends).toEqual([]);
      for (const socket of peers) socket.write(bytes.subarray(half));
      for (const client of clients) expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      await until(() => ends.length === MANY);
      expect(ends.filter(({ how }) => how !== 'complete')).toEqual([]);
      // The connections of some of them are used again.
      expect(peers.length).toBe(MANY);
    });

    test.each([
      { what: 'bodies, and that of a peer', sizeBytes: 200_005, connected: 1 },
      // Their peers were offered more room than the next body is to have.
      {
        what: 'long bodies, and none of a peer that may fill more room than it is to',
        sizeBytes: 3 * MIB + 5,
      },
    ])('uses the connection of a client again after $what', async ({ sizeBytes, connected }) => {
      const bytes = pattern(sizeBytes);
      const { port, connections, requests } = await peer((socket) => {
        socket.write(okHead(bytes.length));
        socket.write(bytes);
      });
      const server = await serve(async (client, request) => {
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        const body = request.url.endsWith('/peer') ? await askBody(port) : await openAll(bytes);
        await client.move(body, PATIENT);
      });
      const client = await raw(server);
      let at = 0;
      for (const path of ['/peer', '/file', '/peer', '/peer', '/file']) {
        client.send(getRequest(path));
        const headEnd = () => client.received.indexOf('\r\n\r\n', at);
        await until(() => headEnd() !== -1);
        const bodyStart = headEnd() + 4;
        at = bodyStart + bytes.length;
        await until(() => client.received.length >= at);
        expect(client.received.subarray(bodyStart, at).equals(bytes)).toBe(true);
      }
      expect(client.received.length).toBe(at);
      expect(client.end).toBe('open');
      expect(requests.length).toBe(3);
      // A body that the kernel moves from its first byte on has the room that it begins with.
      if (connected === undefined) expect([1, 3]).toContain(connections.length);
      else expect(connections.length).toBe(connected);
    });

    test('does not use the connection of a peer again that sends more than it promised', async () => {
      const bytes = pattern(2 * MIB);
      const { port, connections } = await peer((socket) => {
        socket.write(okHead(bytes.length));
        socket.write(Buffer.concat([bytes, Buffer.from(okHead(bytes.length)), Buffer.alloc(bytes.length)]));
      });
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: 2 * bytes.length });
        await client.move(await askBody(port), PATIENT);
        // At once: nothing has told yet that there is more.
        await client.move(await askBody(port), PATIENT);
      });
      const client = await raw(server);
      client.send(getRequest());
      const body = await bodyOf(client, 2 * bytes.length);
      expect(body.equals(Buffer.concat([bytes, bytes]))).toBe(true);
      expect(connections.length).toBe(2);
    });

    test('counts the last byte of a source as moved, however it is stopped then', async () => {
      const bytes = pattern(MIB);
      const ends: MoveEnd[] = [];
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: 2 * bytes.length });
        const cancel = new AbortController();
        const moved = client.move(await openAll(bytes), { ...PATIENT, signal: cancel.signal });
        // This process does nothing else meanwhile: what moves by itself is done, and could not tell yet.
        const endMs = performance.now() + 200;
        while (client.movedBytes < bytes.length && performance.now() < endMs);
        const isMoved = client.movedBytes === bytes.length;
        cancel.abort();
        const first = await moved;
        expect(first.how).toBe(isMoved ? 'complete' : 'cancelled');
        ends.push(await client.move(await openAll(bytes, first.movedBytes), PATIENT));
        ends.push(await client.move(await openAll(bytes), PATIENT));
      });
      const client = await raw(server);
      client.send(getRequest());
      const body = await bodyOf(client, 2 * bytes.length);
      expect(body.equals(Buffer.concat([bytes, bytes]))).toBe(true);
      await until(() => ends.length === 2);
      expect(ends.map(({ how }) => how)).toEqual(['complete', 'complete']);
    });
  });
}
