import { describe, expect, test } from 'bun:test';
import { truncate } from 'node:fs/promises';
import type { MoveEnd, MoveProgress } from '../transport.ts';
import { pattern } from '../testing/pattern.ts';
import { getRequest } from '../testing/raw-client.ts';
import { okHead } from '../testing/scripted-peer.ts';
import { until } from '../../runtime/conditions.fixture.ts';
import { NEVER, PATIENT, TOO_MUCH, MIB, type Rig } from './rig.ts';

/** A condition that holds after some ms. */
function later(ms: number): () => boolean {
  const atMs = performance.now() + ms;
  return () => performance.now() > atMs;
}

/** Sources that break, stall or lie, and what follows them. */
export function testBrokenMoves({
  serve,
  raw,
  peer,
  file,
  openAll,
  askBody,
  serveSources,
  bodyOf,
  transport,
}: Rig): void {
  describe('move() of a source that breaks', () => {
    test.each([{ at: 0 }, { at: 1 }, { at: 65_536 }, { at: MIB + 13 }])(
      'goes on at byte $at with the next source after a peer ended early',
      async ({ at }) => {
        const bytes = pattern(2 * MIB);
        const { port } = await peer((socket) => {
          socket.write(okHead(bytes.length));
          socket.end(bytes.subarray(0, at));
        });
        const { server, ends } = await serveSources(bytes.length, [
          () => askBody(port),
          () => openAll(bytes, at),
        ]);
        const client = await raw(server);
        client.send(getRequest());
        expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
        await until(() => ends.length === 2);
        expect(ends[0]).toMatchObject({ how: 'source-broken', movedBytes: at, reason: 'ended-early' });
        expect(ends[1]).toEqual({ how: 'complete', movedBytes: bytes.length - at });
      },
    );

    test('reports connection-lost when the peer resets, and moved bytes stay moved', async () => {
      const bytes = pattern(MIB);
      const broken = await peer((socket) => {
        socket.write(okHead(bytes.length));
        socket.write(bytes.subarray(0, 1000));
      });
      const ends: MoveEnd[] = [];
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        const body = await askBody(broken.port);
        const onProgress = () => broken.connections[0]?.resetAndDestroy();
        ends.push(await client.move(body, { ...PATIENT, onProgress }));
        ends.push(await client.move(await openAll(bytes, client.movedBytes), PATIENT));
      });
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      await until(() => ends.length === 2);
      expect(ends[0]).toMatchObject({ how: 'source-broken', movedBytes: 1000, reason: 'connection-lost' });
    });

    test('reports a file that is cut off while it is read as broken where it now ends', async () => {
      const bytes = pattern(TOO_MUCH);
      const path = await file(bytes);
      const left = 40 * MIB + 5;
      const ends: MoveEnd[] = [];
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        const source = await transport().openFile(path, { start: 0, end: bytes.length - 1 });
        await truncate(path, left);
        ends.push(await client.move(source, PATIENT));
        client.breakOff();
      });
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, bytes.length)).equals(bytes.subarray(0, left))).toBe(true);
      expect(client.end).toBe('fin');
      expect(ends).toMatchObject([{ how: 'source-broken', movedBytes: left, reason: 'ended-early' }]);
    });

    test('never moves more than the peer promised', async () => {
      const bytes = pattern(1000);
      const lying = await peer((socket) => {
        socket.write(Buffer.concat([Buffer.from(okHead(100)), bytes]));
      });
      const { server, ends } = await serveSources(100, [() => askBody(lying.port)]);
      const client = await raw(server);
      client.send(getRequest());
      client.send(getRequest());
      await client.head(2);
      await until(() => ends.length === 2);
      const { bodyStart } = await client.head();
      expect(client.received.subarray(bodyStart, bodyStart + 100).equals(bytes.subarray(0, 100))).toBe(true);
      expect(client.received.toString('latin1', bodyStart + 100)).toStartWith('HTTP/1.1 200');
      // What came too much must not be read as the start of the next answer.
      expect(lying.connections.length).toBe(2);
    });

    test('rejects a source of more bytes than are owed, and closes it', async () => {
      const failures: unknown[] = [];
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: 10 });
        await client.move(await openAll(pattern(11)), PATIENT).catch((error) => failures.push(error));
        await client.move(await openAll(pattern(10)), PATIENT);
      });
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, 10)).equals(pattern(10))).toBe(true);
      expect(failures).toMatchObject([{ name: 'RangeError' }]);
    });

    test('blames a silent source after the stall time-out, at the exact byte', async () => {
      const { port } = await peer((socket) => {
        socket.write(okHead(1000));
        socket.write(pattern(400));
      });
      const { server, ends } = await serveSources(1000, [() => askBody(port)], {
        stallTimeoutMs: 50,
        signal: NEVER,
      });
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, 1000)).equals(pattern(400))).toBe(true);
      expect(ends).toMatchObject([{ how: 'source-broken', movedBytes: 400, reason: 'stalled' }]);
    });

    test('breaks a source that is judged slow, at the exact byte, and another goes on there', async () => {
      const bytes = pattern(2000);
      const { port } = await peer((socket) => {
        socket.write(okHead(bytes.length));
        socket.write(bytes.subarray(0, 400));
      });
      const asked: MoveProgress[] = [];
      /** What was said of the first move: the other one begins to wait anew. */
      const first: number[] = [];
      const pace = {
        everyMs: 2,
        judge: (progress: MoveProgress) => {
          asked.push(progress);
          if (ends.length === 0) first.push(progress.waitedMs);
          return progress.movedBytes === 400 && progress.waitedMs >= 40 ? 'slow' : undefined;
        },
      };
      const { server, ends } = await serveSources(
        bytes.length,
        [() => askBody(port), () => openAll(bytes, 400)],
        { ...PATIENT, pace },
      );
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      await until(() => ends.length === 2);
      expect(ends[0]).toEqual({ how: 'source-broken', movedBytes: 400, reason: 'slow' });
      expect(first.length).toBeGreaterThan(0);
      expect(first).toEqual(first.toSorted((a, b) => a - b));
      // Nobody asks about a move that has ended.
      const { length } = asked;
      await until(later(20));
      expect(asked).toHaveLength(length);
    });

    test('does not count the time of a client that does not read', async () => {
      const bytes = pattern(TOO_MUCH / 3);
      const { port } = await peer((socket) => {
        socket.write(okHead(bytes.length));
        socket.write(bytes);
      });
      let held: { readonly first: MoveProgress; readonly sinceMs: number } | undefined;
      let last: MoveProgress | undefined;
      const pace = {
        everyMs: 5,
        judge: (progress: MoveProgress) => {
          if (held?.first.movedBytes !== progress.movedBytes) {
            held = { first: progress, sinceMs: performance.now() };
          }
          last = progress;
          return undefined;
        },
      };
      const { server, ends } = await serveSources(bytes.length, [() => askBody(port)], { ...PATIENT, pace });
      const client = await raw(server);
      client.socket.pause();
      client.send(getRequest());
      await until(
        () => held !== undefined && held.first.movedBytes > 0 && performance.now() - held.sinceMs > 200,
      );
      expect(last).toEqual(held?.first);
      expect(ends).toEqual([]);
    });

    test.each(['file', 'peer'] as const)('does not blame a %s for a slow client', async (kind) => {
      const bytes = pattern(TOO_MUCH);
      const { port } = await peer((socket) => {
        socket.write(okHead(bytes.length));
        socket.write(bytes);
      });
      // A busy machine keeps the peer waiting, too.
      const stallTimeoutMs = 500;
      let moved = 0;
      let lastProgressMs = Infinity;
      const { server, ends } = await serveSources(
        bytes.length,
        [() => (kind === 'file' ? openAll(bytes) : askBody(port))],
        {
          stallTimeoutMs,
          signal: NEVER,
          onProgress: (movedBytes) => {
            moved = movedBytes;
            lastProgressMs = performance.now();
          },
        },
      );
      const client = await raw(server);
      client.socket.pause();
      client.send(getRequest());
      await until(() => performance.now() - lastProgressMs > 3 * stallTimeoutMs);
      expect(ends).toEqual([]);
      expect(moved).toBeLessThan(bytes.length);
      client.socket.resume();
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: bytes.length }]);
    });
  });
}
