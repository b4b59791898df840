import { describe, expect, test } from 'bun:test';
import { readdir } from 'node:fs/promises';
import { until } from '../../runtime/conditions.fixture.ts';
import { readUnacknowledgedLimit } from '../socket-patience.ts';
import { getRequest } from '../testing/raw-client.ts';
import { MIB, type Rig } from './rig.ts';

const STREAM = { status: 200, headers: { 'content-type': 'text/event-stream' } };

/** Answers that go on for long, as a raw socket sees them. */
export function testStreamedAnswers({ serveAnswers, raw }: Rig): void {
  describe('StreamedAnswer', () => {
    test('sends what comes at once, without a length, and ends with FIN', async () => {
      const parts = ['one', 'two'];
      let more = Promise.withResolvers<void>();
      const server = await serveAnswers(() => ({
        ...STREAM,
        async next() {
          if (parts.length === 1) await more.promise;
          const part = parts.shift();
          return part === undefined ? undefined : Buffer.from(part);
        },
      }));
      const client = await raw(server);
      client.send(getRequest());
      const { text, bodyStart } = await client.head();
      expect(text).toStartWith('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n');
      expect(text).toContain('Connection: close');
      expect(text.toLowerCase()).not.toMatch(/content-length|transfer-encoding/);
      const body = () => client.received.toString('latin1', bodyStart);
      await until(() => body() === 'one');
      expect(client.end).toBe('open');
      more.resolve();
      await until(() => client.end !== 'open');
      expect([body(), client.end]).toEqual(['onetwo', 'fin']);
    });

    test('sends the head alone to a HEAD', async () => {
      let asked = 0;
      const server = await serveAnswers(() => ({
        ...STREAM,
        async next() {
          asked++;
          return Buffer.from('no body');
        },
      }));
      const client = await raw(server);
      client.send('HEAD / HTTP/1.1\r\nHost: node\r\n\r\n');
      await until(() => client.end !== 'open');
      expect(client.received.toString('latin1')).toEndWith('\r\n\r\n');
      expect([asked, client.end]).toEqual([0, 'fin']);
    });

    test('asks for the next bytes when the client has taken those before', async () => {
      let given = 0;
      const server = await serveAnswers(() => ({
        ...STREAM,
        async next() {
          given++;
          return given > 64 ? undefined : new Uint8Array(MIB);
        },
      }));
      const client = await raw(server);
      client.socket.pause();
      client.send(getRequest());
      let seen = -1;
      await until(() => {
        const isStill = given > 0 && given === seen;
        seen = given;
        return isStill;
      });
      // So many MiB may be in the buffers of the kernel and of this client.
      expect(given).toBeLessThan(32);
      client.socket.resume();
      await until(() => client.end !== 'open');
      expect(client.received.length).toBeGreaterThan(64 * MIB);
    });

    test.each([
      { how: 'leaves', leave: (client: Awaited<ReturnType<typeof raw>>) => client.socket.destroy() },
      { how: 'half-closes', leave: (client: Awaited<ReturnType<typeof raw>>) => client.socket.end() },
    ])('tells it when the client $how', async ({ leave }) => {
      let isGone = false;
      let isAsked = false;
      const server = await serveAnswers(() => ({
        ...STREAM,
        async next(signal) {
          isAsked = true;
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          isGone = true;
          return undefined;
        },
      }));
      const client = await raw(server);
      client.send(getRequest());
      await until(() => isAsked);
      leave(client);
      await until(() => isGone);
    });

    test('has the kernel end the connection of a client that has gone without a word', async () => {
      const clientStallTimeoutMs = 61_234;
      let isAsked = false;
      const server = await serveAnswers(
        () => ({
          ...STREAM,
          async next(signal) {
            isAsked = true;
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
            return undefined;
          },
        }),
        { clientStallTimeoutMs },
      );
      const isLimited = async () =>
        (await readdir('/proc/self/fd')).some(
          (fd) => readUnacknowledgedLimit(Number(fd)) === clientStallTimeoutMs,
        );
      expect(await isLimited()).toBe(false);
      const client = await raw(server);
      client.send(getRequest());
      await until(() => isAsked);
      expect(await isLimited()).toBe(true);
    });

    test('ends when the listener closes', async () => {
      let isAsked = false;
      const server = await serveAnswers(() => ({
        ...STREAM,
        async next(signal) {
          isAsked = true;
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          return undefined;
        },
      }));
      const client = await raw(server);
      client.send(getRequest());
      await until(() => isAsked);
      await server.close(20);
      await until(() => client.end !== 'open');
      expect(client.end).toBe('fin');
    });
  });
}
