import { describe, expect, test } from 'bun:test';
import type { BodySource, MoveEnd } from '../transport.ts';
import { until } from '../../runtime/conditions.fixture.ts';
import { pattern } from '../testing/pattern.ts';
import { getRequest } from '../testing/raw-client.ts';
import { okHead } from '../testing/scripted-peer.ts';
import { ASK, MIB, PATIENT, type Rig } from './rig.ts';

/** More than comes of a body that is not asked for ahead. */
const PIECE_BYTES = MIB;

/** Bodies that come before they are moved. */
export function testAheadBodies({ transport, serve, raw, peer, bodyOf }: Rig): void {
  const askAhead = async (port: number, aheadBytes = PIECE_BYTES) => {
    const request = { method: 'GET', host: '127.0.0.1', port, path: '/', headers: {} } as const;
    const { body } = await transport().request(request, { ...ASK, aheadBytes });
    if (body === undefined) throw new Error('The peer has no body');
    return body;
  };

  describe('request() of a body ahead', () => {
    test('lets all of several bodies come before the first is moved, then moves them in order', async () => {
      const bytes = pattern(4 * PIECE_BYTES);
      const { port, connections } = await peer((socket, n) => {
        socket.write(okHead(PIECE_BYTES));
        socket.write(bytes.subarray(n * PIECE_BYTES, (n + 1) * PIECE_BYTES));
      });
      const ends: MoveEnd[] = [];
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        const bodies: BodySource[] = [];
        for (let n = 0; n < 4; n++) bodies.push(await askAhead(port));
        await until(() => bodies.every(({ arrivedBytes }) => arrivedBytes === PIECE_BYTES));
        for (const body of bodies) ends.push(await client.move(body, PATIENT));
      });
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      await until(() => ends.length === 4);
      expect(ends).toEqual(ends.map(() => ({ how: 'complete', movedBytes: PIECE_BYTES })));
      expect(connections.length).toBe(4);
    });

    test('holds back what is more than was asked for', async () => {
      let socketBytes = 0;
      const much = Buffer.alloc(64 * MIB);
      const { port, connections } = await peer((socket) => {
        socket.write(okHead(much.length));
        socket.write(much);
      });
      const body = await askAhead(port);
      const taken = () => socketBytes === (socketBytes = connections[0]?.bytesWritten ?? 0);
      await until(() => (body.arrivedBytes ?? 0) > PIECE_BYTES / 2 && taken());
      expect(body.arrivedBytes).toBeLessThan(4 * PIECE_BYTES);
      body.close();
    });

    test('uses the connection again for bodies ahead alone: its peer was offered room for them', async () => {
      const bytes = pattern(3 * MIB);
      const { port, connections } = await peer((socket) => {
        socket.write(okHead(bytes.length));
        socket.write(bytes);
      });
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: 3 * bytes.length });
        await client.move(await askAhead(port), PATIENT);
        const request = { method: 'GET', host: '127.0.0.1', port, path: '/', headers: {} } as const;
        const { body } = await transport().request(request, ASK);
        if (body !== undefined) await client.move(body, PATIENT);
        await client.move(await askAhead(port), PATIENT);
      });
      const client = await raw(server);
      client.send(getRequest());
      const body = await bodyOf(client, 3 * bytes.length);
      expect(body.equals(Buffer.concat([bytes, bytes, bytes]))).toBe(true);
      expect(connections.length).toBe(2);
    });
  });
}
