import { describe, expect, test } from 'bun:test';
import { appendFile, rename, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { until } from '../../runtime/conditions.fixture.ts';
import type { MoveOptions, MoveProgress } from '../transport.ts';
import { countOpenDescriptors } from '../testing/open-descriptors.ts';
import { pattern } from '../testing/pattern.ts';
import { getRequest } from '../testing/raw-client.ts';
import { createScriptedGrowth } from '../testing/scripted-growth.ts';
import { MIB, NEVER, PATIENT, type Rig, TOO_MUCH } from './rig.ts';

/** As containerd writes its ingests, but never on the boundary of a chunk. */
const STEP_BYTES = MIB - 777;

/** Bodies from a file that is still being written. */
export function testGrowingMoves({ raw, file, openAll, serveSources, bodyOf, transport }: Rig): void {
  /** A file with so many of the bytes in it. */
  const growing = async (bytes: Buffer, startBytes: number) => {
    const path = await file(bytes.subarray(0, startBytes));
    const growth = createScriptedGrowth(startBytes);
    const growTo = async (writtenBytes: number, at = path) => {
      await appendFile(at, bytes.subarray(growth.writtenBytes, writtenBytes));
      growth.growTo(writtenBytes);
    };
    const open = (range = { start: 0, end: bytes.length - 1 }) =>
      transport().openGrowingFile(path, range, growth);
    return { path, growth, growTo, open };
  };
  /** Asks for a range that is opened of the growing file. */
  const follow = async (
    { open }: Pick<Awaited<ReturnType<typeof growing>>, 'open'>,
    range: { readonly start: number; readonly end: number },
    options: MoveOptions = PATIENT,
  ) => {
    const sizeBytes = range.end - range.start + 1;
    const { server, ends } = await serveSources(sizeBytes, [() => open(range)], options);
    const client = await raw(server);
    client.send(getRequest());
    return { client, ends, sizeBytes };
  };
  /** A move that has moved its first bytes and waits for more. */
  const waitingMove = async (options: Omit<MoveOptions, 'onProgress'> = PATIENT) => {
    const bytes = pattern(2000);
    const grown = await growing(bytes, 400);
    let moved = 0;
    const followed = await follow(
      grown,
      { start: 0, end: 1999 },
      { ...options, onProgress: (movedBytes) => void (moved = movedBytes) },
    );
    await until(() => moved === 400);
    return { bytes, ...grown, ...followed };
  };
  const givenBack = async (path: string, { subscriptions }: ReturnType<typeof createScriptedGrowth>) => {
    await until(async () => (await countOpenDescriptors(path)) === 0);
    expect(subscriptions.begun).toBeGreaterThan(0);
    expect(subscriptions.ended).toBe(subscriptions.begun);
  };

  describe('move() of a file that grows', () => {
    test.each([
      { what: 'all', startBytes: 0, cutFront: 0, cutEnd: 0 },
      { what: 'all, begun when some was there', startBytes: 300_000, cutFront: 0, cutEnd: 0 },
      { what: 'a range in the middle', startBytes: 100_003, cutFront: 100_003, cutEnd: 2 * MIB + 11 },
    ])('moves $what, step by step', async ({ startBytes, cutFront, cutEnd }) => {
      const bytes = pattern(5 * MIB + 17);
      const grown = await growing(bytes, startBytes);
      const range = { start: cutFront, end: bytes.length - 1 - cutEnd };
      const { client, ends, sizeBytes } = await follow(grown, range);
      for (let at = startBytes; at < bytes.length; at += STEP_BYTES) {
        await grown.growTo(Math.min(at + STEP_BYTES, bytes.length));
        // Each step arrives before the next: the last bytes of a step wait for no more.
        const due = Math.min(grown.growth.writtenBytes, range.end + 1) - range.start;
        const { bodyStart } = await client.head();
        await until(() => client.received.length >= bodyStart + due);
      }
      const body = await bodyOf(client, sizeBytes);
      expect(body.equals(bytes.subarray(range.start, range.end + 1))).toBe(true);
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: sizeBytes }]);
      await givenBack(grown.path, grown.growth);
    });

    test('moves bytes that are written while the client does not read, once it does', async () => {
      const bytes = pattern(TOO_MUCH);
      const grown = await growing(bytes, 0);
      let lastProgressMs = Infinity;
      const onProgress = () => {
        lastProgressMs = performance.now();
      };
      const range = { start: 0, end: bytes.length - 1 };
      const { client, ends } = await follow(grown, range, { ...PATIENT, onProgress });
      client.socket.pause();
      for (let at = 0; at < bytes.length; at += STEP_BYTES) {
        await grown.growTo(Math.min(at + STEP_BYTES, bytes.length));
      }
      grown.growth.end();
      await until(() => performance.now() - lastProgressMs > 50);
      expect(ends).toEqual([]);
      client.socket.resume();
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: bytes.length }]);
      await givenBack(grown.path, grown.growth);
    });

    test('does not move bytes that the file has before they are said to be written', async () => {
      const bytes = pattern(3000);
      const path = await file(Buffer.concat([bytes.subarray(0, 1000), Buffer.alloc(1000)]));
      const growth = createScriptedGrowth(1000);
      const open = () => transport().openGrowingFile(path, { start: 0, end: 2999 }, growth);
      let moved = 0;
      const onProgress = (movedBytes: number) => {
        moved = movedBytes;
      };
      const { client, ends } = await follow({ open }, { start: 0, end: 2999 }, { ...PATIENT, onProgress });
      await until(() => moved === 1000);
      await Bun.write(path, bytes);
      // A change that brings nothing wakes the reader in vain.
      growth.growTo(1000);
      growth.growTo(2500);
      await until(() => moved === 2500);
      growth.growTo(3000);
      expect((await bodyOf(client, 3000)).equals(bytes)).toBe(true);
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: 3000 }]);
    });

    test.each([
      { what: 'while it waits', at: 400, isOverBefore: false },
      { what: 'before it has begun', at: 400, isOverBefore: true },
      { what: 'before any byte was written', at: 0, isOverBefore: false },
      { what: 'with many bytes unmoved', at: 4 * MIB + 1, isOverBefore: true },
    ])('gives the bytes that were there and FIN when growth ends $what', async ({ at, isOverBefore }) => {
      const bytes = pattern(5 * MIB);
      const grown = await growing(bytes, at);
      if (isOverBefore) grown.growth.end();
      const { client, ends, sizeBytes } = await follow(grown, { start: 0, end: bytes.length - 1 });
      if (!isOverBefore) {
        await until(() => grown.growth.subscriptions.begun > 0);
        grown.growth.end();
      }
      expect((await bodyOf(client, sizeBytes)).equals(bytes.subarray(0, at))).toBe(true);
      expect(client.end).toBe('fin');
      expect(ends).toEqual([{ how: 'source-broken', movedBytes: at, reason: 'ended-early' }]);
      await givenBack(grown.path, grown.growth);
    });

    test('reports a file that is shorter than is said to be written as read-failed where it ends', async () => {
      const { client, ends, growth, bytes } = await waitingMove();
      growth.growTo(1000);
      expect((await bodyOf(client, 2000)).equals(bytes.subarray(0, 400))).toBe(true);
      expect(client.end).toBe('fin');
      expect(ends).toMatchObject([{ how: 'source-broken', movedBytes: 400, reason: 'read-failed' }]);
    });

    test('goes on when the file is renamed', async () => {
      const { client, ends, growth, growTo, path, bytes } = await waitingMove();
      const elsewhere = `${path}-renamed`;
      await rename(path, elsewhere);
      await growTo(1200, elsewhere);
      await growTo(2000, elsewhere);
      growth.end();
      expect((await bodyOf(client, 2000)).equals(bytes)).toBe(true);
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: 2000 }]);
      await givenBack(elsewhere, growth);
    });

    test('goes on when the file is deleted', async () => {
      const { client, ends, growth, path, bytes } = await waitingMove();
      await appendFile(path, bytes.subarray(400));
      await rm(path);
      growth.growTo(1200);
      growth.growTo(2000);
      expect((await bodyOf(client, 2000)).equals(bytes)).toBe(true);
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: 2000 }]);
      await givenBack(path, growth);
    });

    test.each([
      { end: 'FIN', leave: (socket: Socket) => socket.destroy() },
      { end: 'RST', leave: (socket: Socket) => socket.resetAndDestroy() },
    ])('ends when the client goes away with $end while more is waited for', async ({ leave }) => {
      const { client, ends, growth, path } = await waitingMove({ stallTimeoutMs: 3_600_000, signal: NEVER });
      expect(growth.subscriptions.ended).toBe(0);
      leave(client.socket);
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'client-gone', movedBytes: 400 }]);
      await givenBack(path, growth);
    });

    test('stops at the signal while more is waited for', async () => {
      const cancel = new AbortController();
      const { ends, growth, path } = await waitingMove({ ...PATIENT, signal: cancel.signal });
      cancel.abort();
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'cancelled', movedBytes: 400 }]);
      await givenBack(path, growth);
    });

    test('blames growth that stands still after the stall time-out', async () => {
      const { client, ends, growth, path, bytes } = await waitingMove({ stallTimeoutMs: 50, signal: NEVER });
      expect((await bodyOf(client, 2000)).equals(bytes.subarray(0, 400))).toBe(true);
      expect(ends).toEqual([{ how: 'source-broken', movedBytes: 400, reason: 'stalled' }]);
      await givenBack(path, growth);
    });

    test('counts the wait for growth for the judge, and another source goes on at that byte', async () => {
      const bytes = pattern(2000);
      const grown = await growing(bytes, 400);
      const judge = ({ movedBytes, waitedMs }: MoveProgress) =>
        movedBytes === 400 && waitedMs >= 40 ? 'slow' : undefined;
      const { server, ends } = await serveSources(
        bytes.length,
        [() => grown.open(), () => openAll(bytes, 400)],
        { ...PATIENT, pace: { everyMs: 2, judge } },
      );
      const client = await raw(server);
      client.send(getRequest());
      expect((await bodyOf(client, bytes.length)).equals(bytes)).toBe(true);
      await until(() => ends.length === 2);
      expect(ends).toEqual([
        { how: 'source-broken', movedBytes: 400, reason: 'slow' },
        { how: 'complete', movedBytes: 1600 },
      ]);
      await givenBack(grown.path, grown.growth);
    });
  });
}
