import { describe, expect, test } from 'bun:test';
import { appendFile } from 'node:fs/promises';
import { until } from '../../runtime/conditions.fixture.ts';
import type { BodyRelay, BodySource, ClientResponse } from '../transport.ts';
import { pattern } from '../testing/pattern.ts';
import { getRequest } from '../testing/raw-client.ts';
import { createScriptedGrowth } from '../testing/scripted-growth.ts';
import { MIB, PATIENT, type Rig } from './rig.ts';

/** Bodies that are given to the program which writes a growing file, and to those who follow that file. */
export function testRelayedMoves({ raw, file, serve, serveSources, bodyOf, transport }: Rig): void {
  /** A program that is given a body, of which nothing is written yet, and what follows its file. */
  const start = async (bytes: Buffer) => {
    const path = await file(Buffer.alloc(0));
    const growth = createScriptedGrowth(0);
    const relay = transport().createRelay();
    const writer = Promise.withResolvers<ClientResponse>();
    const over = Promise.withResolvers<void>();
    const server = await serve(async (client) => {
      client.begin({ status: 200, headers: {}, contentLength: bytes.length });
      writer.resolve(client);
      await over.promise;
    });
    const program = await raw(server);
    program.send(getRequest());
    const client = await writer.promise;
    return {
      growth,
      relay,
      /** Gives the program so many more bytes, in a move of its own. */
      give: async (toByte: number, fromByte = client.movedBytes, to = relay) => {
        const source = transport().openBytes(bytes.subarray(client.movedBytes, toByte));
        await client.move(source, { ...PATIENT, relayed: { relay: to, fromByte } });
      },
      /** Moves a source to the program until that is ended. */
      giveFrom: (source: BodySource) => {
        const cancel = new AbortController();
        const relayed = { relay, fromByte: client.movedBytes };
        const moved = client.move(source, { ...PATIENT, signal: cancel.signal, relayed });
        return {
          end: async () => {
            cancel.abort();
            await moved;
          },
        };
      },
      write: async (toByte: number) => {
        await appendFile(path, bytes.subarray(growth.writtenBytes, toByte));
        growth.growTo(toByte);
      },
      follow: async (range = { start: 0, end: bytes.length - 1 }) => {
        const sizeBytes = range.end - range.start + 1;
        const open = () => transport().openGrowingFile(path, range, growth, relay);
        const { server: following, ends } = await serveSources(sizeBytes, [open]);
        const follower = await raw(following);
        follower.send(getRequest());
        await until(() => growth.subscriptions.begun > 0);
        const has = async (count: number) => {
          const { bodyStart } = await follower.head();
          await until(() => follower.received.length >= bodyStart + count);
          return follower.received.length - bodyStart;
        };
        return { follower, ends, has, body: async () => bodyOf(follower, sizeBytes) };
      },
      end: () => over.resolve(),
    };
  };
  /** A source that gives nothing. */
  const never = async (sizeBytes: number) =>
    transport().openGrowingFile(
      await file(Buffer.alloc(0)),
      { start: 0, end: sizeBytes - 1 },
      createScriptedGrowth(0),
    );
  const keep = (relay: BodyRelay) => relay.subscribe(() => {});

  describe('move() with a relay', () => {
    test('gives bytes to who follows before the program has written them, over several moves', async () => {
      const bytes = pattern(3 * MIB + 17);
      const body = await start(bytes);
      const { has, body: followed, ends } = await body.follow();
      for (const toByte of [300_000, 300_001, MIB + 5, bytes.length]) {
        await body.give(toByte);
        expect(await has(toByte)).toBe(toByte);
      }
      expect(body.growth.writtenBytes).toBe(0);
      expect((await followed()).equals(bytes)).toBe(true);
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'complete', movedBytes: bytes.length }]);
      body.end();
    });

    test('what was moved while nothing followed is taken from the file, what comes then from the relay', async () => {
      const bytes = pattern(2 * MIB);
      const body = await start(bytes);
      await body.give(700_000);
      expect(body.relay.has(699_999)).toBe(false);
      const { has, body: followed } = await body.follow();
      await body.give(900_000);
      await body.write(700_000);
      expect(await has(900_000)).toBe(900_000);
      await body.give(bytes.length);
      expect((await followed()).equals(bytes)).toBe(true);
      body.end();
    });

    test('a range that begins in what the relay has', async () => {
      const bytes = pattern(MIB);
      const body = await start(bytes);
      const unsubscribe = keep(body.relay);
      await body.give(500_000);
      const { has, body: followed } = await body.follow({ start: 400_000, end: MIB - 1 });
      unsubscribe();
      expect(await has(100_000)).toBe(100_000);
      await body.give(bytes.length);
      expect((await followed()).equals(bytes.subarray(400_000))).toBe(true);
      body.end();
    });

    test('who does not read loses the bytes of the relay, and takes them from the file', async () => {
      const bytes = pattern(24 * MIB);
      const body = await start(bytes);
      const { follower, has, body: followed } = await body.follow();
      await body.give(100_000);
      await has(100_000);
      follower.socket.pause();
      await body.give(bytes.length);
      await body.write(bytes.length);
      body.growth.end();
      follower.socket.resume();
      expect((await followed()).equals(bytes)).toBe(true);
      body.end();
    });

    test('two moves at the same time do not mix', async () => {
      const bytes = pattern(2 * MIB);
      const [body, other] = [await start(bytes), await start(Buffer.alloc(bytes.length))];
      const { body: followed } = await body.follow();
      await body.give(MIB);
      // The first of them goes on while the other begins and ends.
      const slow = body.giveFrom(await never(bytes.length - MIB));
      await other.give(MIB, 0, body.relay);
      expect(body.relay.endOf(MIB - 1)).toBe(MIB);
      await slow.end();
      await body.write(MIB);
      await body.write(bytes.length);
      expect((await followed()).equals(bytes)).toBe(true);
      for (const each of [body, other]) each.end();
    });

    test('a move that goes on elsewhere begins anew', async () => {
      const bytes = pattern(2 * MIB);
      const body = await start(bytes);
      const unsubscribe = keep(body.relay);
      await body.give(MIB, 0);
      await body.give(bytes.length, 5 * MIB);
      expect([body.relay.has(0), body.relay.has(5 * MIB), body.relay.endOf(5 * MIB)]).toEqual([
        false,
        true,
        6 * MIB,
      ]);
      unsubscribe();
      expect(body.relay.has(5 * MIB)).toBe(false);
      body.end();
    });

    test('bytes that come to an end with the download end the body there', async () => {
      const bytes = pattern(MIB);
      const body = await start(bytes);
      const { has, ends } = await body.follow();
      await body.give(600_000);
      await has(600_000);
      body.growth.end();
      await until(() => ends.length === 1);
      expect(ends).toEqual([{ how: 'source-broken', movedBytes: 600_000, reason: 'ended-early' }]);
      body.end();
    });
  });
}
