import { describe, expect, test } from 'bun:test';
import { LINGER_MS } from '../limits.ts';
import type { MoveEnd } from '../transport.ts';
import { pattern } from '../testing/pattern.ts';
import { okHead } from '../testing/scripted-peer.ts';
import { getRequest } from '../testing/raw-client.ts';
import { until } from '../../runtime/conditions.fixture.ts';
import { PATIENT, TOO_MUCH, MIB, type Rig } from './rig.ts';

/** How a short response ends, as a raw socket sees it. */
export function testBreakOff({ peer, askBody, serve, raw, openAll, bodyOf }: Rig): void {
  describe('breakOff()', () => {
    test.each([
      { what: 'nothing more', sendMore: '' },
      { what: 'pipelined requests', sendMore: getRequest('/2').repeat(3) },
    ])('ends short with FIN, never RST, when the client has sent $what', async ({ sendMore }) => {
      const bytes = pattern(5 * MIB);
      let handled = 0;
      const server = await serve(async (client) => {
        handled += 1;
        client.begin({ status: 200, headers: {}, contentLength: TOO_MUCH });
        await client.move(await openAll(bytes), PATIENT);
        client.breakOff();
        client.breakOff();
      });
      const client = await raw(server);
      client.socket.pause();
      client.send(getRequest());
      client.send(sendMore);
      await until(() => handled === 1);
      client.socket.resume();
      expect((await bodyOf(client, TOO_MUCH)).equals(bytes)).toBe(true);
      await until(() => client.end !== 'open');
      client.send('more that nobody reads');
      client.socket.end();
      await until(() => client.socket.destroyed);
      expect(client.end).toBe('fin');
      expect(handled).toBe(1);
    });

    test('lets a slow client have all that was moved first', async () => {
      const bytes = pattern(TOO_MUCH);
      let movedBytes = -1;
      let lastMs = Infinity;
      const cancel = new AbortController();
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        const onProgress = () => {
          lastMs = performance.now();
        };
        await client.move(await openAll(bytes), { ...PATIENT, signal: cancel.signal, onProgress });
        client.breakOff();
        ({ movedBytes } = client);
      });
      const client = await raw(server);
      client.socket.pause();
      client.send(getRequest());
      await until(() => performance.now() - lastMs > 50);
      cancel.abort();
      await until(() => movedBytes > 0);
      client.socket.resume();
      const resumedMs = performance.now();
      const body = await bodyOf(client, TOO_MUCH);
      expect(client.end).toBe('fin');
      expect(performance.now() - resumedMs).toBeLessThan(LINGER_MS);
      expect(body.length).toBe(movedBytes);
      expect(body.equals(bytes.subarray(0, movedBytes))).toBe(true);
    });

    test('ends a move that is under way', async () => {
      const { port } = await peer((socket) => {
        socket.write(okHead(1000));
        socket.write(pattern(400));
      });
      const ends: MoveEnd[] = [];
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: 1000 });
        const onProgress = () => queueMicrotask(() => client.breakOff());
        ends.push(await client.move(await askBody(port), { ...PATIENT, onProgress }));
      });
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, 1000)).equals(pattern(400))).toBe(true);
      expect(client.end).toBe('fin');
      // The kernel's thread says so a moment later.
      await until(() => ends.length > 0);
      expect(ends).toEqual([{ how: 'client-gone', movedBytes: 400 }]);
    });

    test('between two moves: the next ends as if the client were gone', async () => {
      const bytes = pattern(400);
      const ends: MoveEnd[] = [];
      let isGone = false;
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: 1000 });
        ends.push(await client.move(await openAll(bytes), PATIENT));
        client.breakOff();
        isGone = client.gone.aborted;
        ends.push(await client.move(await openAll(bytes), PATIENT));
      });
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, 1000)).equals(bytes)).toBe(true);
      expect(client.end).toBe('fin');
      await until(() => ends.length === 2);
      expect(isGone).toBe(true);
      expect(ends).toEqual([
        { how: 'complete', movedBytes: 400 },
        { how: 'client-gone', movedBytes: 0 },
      ]);
    });

    test('sends the head when no byte was moved', async () => {
      const server = await serve(async (client) => {
        client.begin({ status: 206, headers: {}, contentLength: 10 });
        client.breakOff();
      });
      const client = await raw(server);
      client.send(getRequest());
      expect((await client.head()).text).toStartWith('HTTP/1.1 206');
      await until(() => client.end !== 'open');
      expect(client.end).toBe('fin');
    });

    test('is harmless after a complete body', async () => {
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: 3 });
        await client.move(await openAll(pattern(3)), PATIENT);
        client.breakOff();
      });
      const client = await raw(server);
      client.send(getRequest());
      await client.head();
      client.send(getRequest());
      await client.head(2);
      expect(client.end).toBe('open');
    });
  });
}
