import { describe, expect, test } from 'bun:test';
import type { MoveEnd } from '../transport.ts';
import { pattern } from '../testing/pattern.ts';
import { getRequest } from '../testing/raw-client.ts';
import { okHead } from '../testing/scripted-peer.ts';
import { until } from '../../runtime/conditions.fixture.ts';
import { PATIENT, TOO_MUCH, MIB, type Rig } from './rig.ts';

/** Moves that the caller or the client ends. */
export function testStoppedMoves({ serve, raw, peer, openAll, askBody, serveSources, bodyOf }: Rig): void {
  describe('move() that is stopped', () => {
    test('stops at the signal, and another source goes on from there', async () => {
      const bytes = pattern(TOO_MUCH);
      const ends: MoveEnd[] = [];
      const cancel = new AbortController();
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        const onProgress = (moved: number) => {
          if (moved > MIB) cancel.abort();
        };
        const options = { ...PATIENT, signal: cancel.signal, onProgress };
        ends.push(await client.move(await openAll(bytes), options));
        ends.push(await client.move(await openAll(bytes, client.movedBytes), PATIENT));
      });
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      await until(() => ends.length === 2);
      expect(ends[0]?.how).toBe('cancelled');
      expect(ends[0]?.movedBytes).toBeGreaterThan(MIB);
      expect(ends[1]).toEqual({ how: 'complete', movedBytes: bytes.length - (ends[0]?.movedBytes ?? 0) });
    });

    test('stops at the signal while the client does not read, then goes on once it does', async () => {
      const bytes = pattern(TOO_MUCH);
      const ends: MoveEnd[] = [];
      const cancel = new AbortController();
      let lastProgressMs = Infinity;
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: bytes.length });
        const onProgress = () => {
          lastProgressMs = performance.now();
        };
        const options = { ...PATIENT, signal: cancel.signal, onProgress };
        ends.push(await client.move(await openAll(bytes), options));
        ends.push(await client.move(await openAll(bytes, client.movedBytes), PATIENT));
      });
      const client = await raw(server);
      client.socket.pause();
      client.send(getRequest());
      await until(() => performance.now() - lastProgressMs > 50);
      cancel.abort();
      await until(() => ends.length === 1);
      client.socket.resume();
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      await until(() => ends.length === 2);
      expect(ends.map(({ how }) => how)).toEqual(['cancelled', 'complete']);
    });

    test('reports an aborted signal before the first byte', async () => {
      const { server, ends } = await serveSources(10, [() => openAll(pattern(10))], {
        stallTimeoutMs: 1000,
        signal: AbortSignal.abort(),
      });
      const client = await raw(server);
      client.send(getRequest());
      await until(() => client.end !== 'open');
      expect(ends).toEqual([{ how: 'cancelled', movedBytes: 0 }]);
    });

    test.each(['file', 'peer'] as const)(
      'reports a client that goes away while a %s is moved',
      async (kind) => {
        const bytes = pattern(TOO_MUCH);
        const source = await peer((socket) => {
          socket.write(okHead(bytes.length));
          socket.write(bytes);
        });
        let gone: AbortSignal | undefined;
        const ends: MoveEnd[] = [];
        const server = await serve(async (client) => {
          gone = client.gone;
          client.begin({ status: 200, headers: {}, contentLength: bytes.length });
          const body = kind === 'file' ? await openAll(bytes) : await askBody(source.port);
          ends.push(await client.move(body, PATIENT));
        });
        const client = await raw(server);
        client.send(getRequest());
        await client.head();
        client.socket.destroy();
        await until(() => ends.length === 1);
        expect(ends[0]?.how).toBe('client-gone');
        expect(gone?.aborted).toBe(true);
        const released = () => kind === 'file' || source.connections[0]?.destroyed === true;
        await until(released);
      },
    );

    test("calls it client-gone when the signal is the client's own", async () => {
      const ends: MoveEnd[] = [];
      const server = await serve(async (client) => {
        client.begin({ status: 200, headers: {}, contentLength: TOO_MUCH });
        ends.push(await client.move(await openAll(pattern(TOO_MUCH)), { ...PATIENT, signal: client.gone }));
      });
      const client = await raw(server);
      client.send(getRequest());
      await client.head();
      client.socket.destroy();
      await until(() => ends.length === 1);
      expect(ends[0]?.how).toBe('client-gone');
    });

    test('does not take bytes that a gone client never got for complete', async () => {
      const bytes = pattern(TOO_MUCH);
      const moves: { end?: MoveEnd; moved: number; lastMs: number }[] = [];
      const server = await serve(async (client, request) => {
        const contentLength = Number(new URL(request.url).searchParams.get('size'));
        client.begin({ status: 200, headers: {}, contentLength });
        const move: (typeof moves)[number] = { moved: 0, lastMs: Infinity };
        moves.push(move);
        const onProgress = (moved: number) => Object.assign(move, { moved, lastMs: performance.now() });
        const source = await openAll(bytes.subarray(0, contentLength));
        move.end = await client.move(source, { ...PATIENT, onProgress });
      });
      /** Asks, reads nothing, and goes away when nothing moves any more; true if the move was complete before. */
      const askAndLeave = async (size: number) => {
        const client = await raw(server);
        client.socket.pause();
        client.send(getRequest(`/?size=${size}`));
        const before = moves.length;
        await until(() => performance.now() - (moves[before]?.lastMs ?? Infinity) > 50);
        const wasComplete = moves[before]?.end !== undefined;
        client.socket.resetAndDestroy();
        await until(() => moves[before]?.end !== undefined);
        return wasComplete;
      };
      await askAndLeave(bytes.length);
      // As much as was handed over without being taken: the bytes on their way are the last ones.
      const wasComplete = await askAndLeave(moves[0]?.moved ?? 0);
      expect(moves[1]?.end?.how).toBe(wasComplete ? 'complete' : 'client-gone');
    });

    test('reports a client that went away before begin()', async () => {
      let started = false;
      const ends: MoveEnd[] = [];
      const server = await serve(async (client) => {
        started = true;
        await until(() => client.gone.aborted);
        client.begin({ status: 200, headers: {}, contentLength: 10 });
        ends.push(await client.move(await openAll(pattern(10)), PATIENT));
        client.breakOff();
      });
      const client = await raw(server);
      client.send(getRequest());
      await until(() => started);
      client.socket.destroy();
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'client-gone', movedBytes: 0 }]);
    });
  });
}
