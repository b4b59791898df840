import { describe, expect, test } from 'bun:test';
import { pattern } from '../testing/pattern.ts';
import { getRequest } from '../testing/raw-client.ts';
import { okHead } from '../testing/scripted-peer.ts';
import { until } from '../../runtime/conditions.fixture.ts';
import { PATIENT, MIB, type Rig } from './rig.ts';

/** Bodies that arrive as a whole. */
export function testCompleteMoves({
  serve,
  raw,
  peer,
  openAll,
  askBody,
  serveSources,
  bodyOf,
  transport,
}: Rig): void {
  describe('move() of a whole body', () => {
    test('moves a file range and reports progress up to its size', async () => {
      const bytes = pattern(3 * MIB + 17);
      const progress: number[] = [];
      const { server, ends } = await serveSources(bytes.length - 5, [() => openAll(bytes, 5)], {
        ...PATIENT,
        onProgress: (moved) => progress.push(moved),
      });
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, bytes.length - 5)).equals(bytes.subarray(5))).toBe(true);
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: bytes.length - 5 }]);
      expect(progress.at(-1)).toBe(bytes.length - 5);
      expect(progress.toSorted((a, b) => a - b)).toEqual(progress);
      expect((await client.head()).text).toContain(`${bytes.length - 5}`);
    });

    test.each([0, 1, 65_536])('moves %d bytes in memory', async (length) => {
      const bytes = pattern(length);
      const { server, ends } = await serveSources(length, [async () => transport().openBytes(bytes)]);
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, length)).equals(bytes)).toBe(true);
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: length }]);
    });

    test('moves a peer body and sends Content-Length, not chunks', async () => {
      const bytes = pattern(2 * MIB + 1);
      const { port } = await peer((socket) => {
        socket.write(okHead(bytes.length));
        socket.write(bytes);
      });
      const { server, ends } = await serveSources(bytes.length, [() => askBody(port)]);
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      const { text } = await client.head();
      expect(text.toLowerCase()).toContain(`content-length: ${bytes.length}`);
      expect(text.toLowerCase()).not.toContain('transfer-encoding');
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: bytes.length }]);
    });

    test.each(['file', 'peer'] as const)('moves a %s of no bytes', async (kind) => {
      const { port } = await peer((socket) => {
        socket.write(okHead(0));
      });
      const { server, ends } = await serveSources(0, [
        () => (kind === 'file' ? openAll(pattern(0)) : askBody(port)),
      ]);
      const client = await raw(server);
      client.send(getRequest());
      expect((await client.head()).text.toLowerCase()).toContain('content-length: 0');
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: 0 }]);
    });

    test('owes no body to a HEAD', async () => {
      let moved = -1;
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: { etag: '"x"' }, contentLength: 12_345 });
        moved = client.movedBytes;
      });
      const client = await raw(server);
      client.send('HEAD / HTTP/1.1\r\nHost: node\r\n\r\n');
      client.send('HEAD / HTTP/1.1\r\nHost: node\r\n\r\n');
      const { text } = await client.head(2);
      expect(text.toLowerCase()).toContain('content-length: 12345');
      expect(moved).toBe(0);
    });

    test('moves many bodies at once, each to its own client', async () => {
      const bytes = pattern(MIB + 7);
      const { port } = await peer((socket) => {
        socket.write(okHead(bytes.length));
        socket.write(bytes);
      });
      let ends = 0;
      const server = await serve(async (client, request) => {
        const start = Number(new URL(request.url).searchParams.get('start'));
        client.begin({ status: 200, headers: {}, contentLength: bytes.length - start });
        const body = start % 2 === 0 && start > 0 ? await openAll(bytes, start) : undefined;
        const end = await client.move(body ?? (await askBody(port)), PATIENT).catch((error) => error);
        if (end.how === 'complete') ends += 1;
      });
      const starts = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 0 : 2 * i));
      const bodies = await Promise.all(
        starts.map(async (start) => {
          const client = await raw(server);
          client.send(getRequest(`/?start=${start}`));
          return (await bodyOf(client, bytes.length - start)).equals(bytes.subarray(start));
        }),
      );
      expect(bodies).toEqual(starts.map(() => true));
      await until(() => ends === starts.length);
    });
  });
  describe('begin()', () => {
    test('throws when called twice', async () => {
      let failure: unknown;
      const server = await serve(async (client) => {
        const head = { status: 200, headers: {}, contentLength: 0 } as const;
        client.begin(head);
        try {
          client.begin(head);
        } catch (error) {
          failure = error;
        }
        expect(client.begun).toBe(true);
      });
      const client = await raw(server);
      client.send(getRequest());
      await client.head();
      expect(failure).toBeInstanceOf(Error);
    });
  });
  describe('a client connection', () => {
    test('is used again after a complete body, also by requests sent ahead, in order', async () => {
      const bytes = pattern(100_000);
      const server = await serve(async (client, request) => {
        const start = Number(new URL(request.url).searchParams.get('start'));
        client.begin({
          status: 200,
          headers: { 'x-start': `${start}` },
          contentLength: bytes.length - start,
        });
        await client.move(await openAll(bytes, start), PATIENT);
      });
      const client = await raw(server);
      client.send(['0', '7', '50000'].map((start) => getRequest(`/?start=${start}`)).join(''));
      let at = 0;
      for (const start of [0, 7, 50_000]) {
        const size = bytes.length - start;
        const headEnd = () => client.received.indexOf('\r\n\r\n', at);
        await until(() => headEnd() !== -1);
        const bodyStart = headEnd() + 4;
        expect(client.received.toString('latin1', at, bodyStart)).toContain(`x-start: ${start}\r\n`);
        await until(() => client.received.length >= bodyStart + size);
        expect(client.received.subarray(bodyStart, bodyStart + size).equals(bytes.subarray(start))).toBe(
          true,
        );
        at = bodyStart + size;
      }
      expect(client.end).toBe('open');
    });
  });
}
