import { describe, expect, test } from 'bun:test';
import { pattern } from '../testing/pattern.ts';
import { rejectionOf } from '../testing/rejection-of.ts';
import { okHead } from '../testing/scripted-peer.ts';
import { until } from '../../runtime/conditions.fixture.ts';
import { ASK, NEVER, type Rig } from './rig.ts';

/** Bodies that are read into memory. */
export function testSmallPeerRequests({ peer, transport, askBody }: Rig): void {
  describe('readBody()', () => {
    test('reads the whole body that request() gave, and lets the connection be used again', async () => {
      const { port, connections } = await peer((socket) => {
        socket.write(Buffer.concat([Buffer.from(okHead(1000)), pattern(1000)]));
      });
      for (let i = 0; i < 2; i++) {
        const bytes = await transport().readBody(await askBody(port), { maxBytes: 1000, signal: NEVER });
        expect(pattern(1000).equals(bytes)).toBe(true);
      }
      expect(connections).toHaveLength(1);
    });

    test('rejects a body that drips with CANCELLED when the time is over, and one that is too large', async () => {
      const { port, connections } = await peer((socket) => {
        const drip = setInterval(() => socket.write('x'), 5);
        socket.once('close', () => clearInterval(drip));
        socket.write(okHead(100_000));
      });
      const limits = { maxBytes: 100_000, signal: AbortSignal.timeout(50) };
      expect(await rejectionOf(transport().readBody(await askBody(port), limits))).toMatchObject({
        code: 'CANCELLED',
      });
      const small = { maxBytes: 99_999, signal: NEVER };
      expect(await rejectionOf(transport().readBody(await askBody(port), small))).toMatchObject({
        code: 'TOO_LARGE',
      });
      await until(() => connections.every(({ destroyed }) => destroyed));
      expect(connections).toHaveLength(2);
    });
  });

  describe('requestSmall()', () => {
    const askSmall = (port: number, maxBytes = 1000, signal = NEVER) =>
      transport().requestSmall(
        { method: 'GET', host: '127.0.0.1', port, path: '/', headers: {} },
        { ...ASK, signal, maxBytes },
      );

    test('reads the whole body', async () => {
      const { port } = await peer((socket) => {
        socket.write(okHead(1000, 'X-A: 1\r\nX-A: 2\r\n'));
        socket.write(pattern(1000));
      });
      const answer = await askSmall(port);
      expect(answer.status).toBe(200);
      expect(answer.header('x-a')).toBe('1, 2');
      expect(answer.header('x-b')).toBeUndefined();
      expect(pattern(1000).equals(answer.bytes)).toBe(true);
    });

    test('asks whether there is room before it reads, and takes no byte if there is none', async () => {
      const { port } = await peer((socket) => {
        socket.write(okHead(1000));
        socket.write(pattern(1000));
      });
      const asked: number[] = [];
      const ask = (isRoom: boolean) =>
        transport().requestSmall(
          { method: 'GET', host: '127.0.0.1', port, path: '/', headers: {} },
          {
            ...ASK,
            maxBytes: 1000,
            admit: async (sizeBytes) => {
              asked.push(sizeBytes);
              return isRoom;
            },
          },
        );
      expect(await rejectionOf(ask(false))).toMatchObject({ code: 'TOO_LARGE' });
      expect(pattern(1000).equals((await ask(true)).bytes)).toBe(true);
      expect(asked).toEqual([1000, 1000]);
    });

    test('reads a body that comes in many pieces', async () => {
      const sizeBytes = 3_000_000;
      const { port } = await peer((socket) => {
        socket.write(okHead(sizeBytes));
        const body = pattern(sizeBytes);
        let sent = 0;
        // Small pieces first, each in a segment of its own, then as fast as it goes.
        const send = () => {
          const end = sent < 10_000 ? sent + 1448 : sizeBytes;
          socket.write(body.subarray(sent, end));
          sent = end;
          if (sent < sizeBytes) setTimeout(send, 1);
        };
        send();
      });
      const answer = await askSmall(port, sizeBytes);
      expect(pattern(sizeBytes).equals(answer.bytes)).toBe(true);
    });

    test.each([
      { what: 'a body that is too large', answer: okHead(1001), code: 'TOO_LARGE' },
      { what: 'a body that ends early', answer: `${okHead(10)}abc`, code: 'CONNECTION_LOST' },
      { what: 'a body without length', answer: 'HTTP/1.1 200 OK\r\n\r\nabc', code: 'INVALID_RESPONSE' },
    ])('rejects $what with $code', async ({ answer, code }) => {
      const { port } = await peer((socket) => {
        socket.end(answer);
      });
      expect(await rejectionOf(askSmall(port))).toMatchObject({ code });
    });

    test('gives the status of an error whose body cannot be read', async () => {
      const { port } = await peer((socket) => {
        socket.end('HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
      });
      expect(await askSmall(port)).toMatchObject({ status: 404, bytes: new Uint8Array() });
    });

    test('rejects with CANCELLED when the signal aborts in the middle of the body', async () => {
      const cancel = new AbortController();
      const { port } = await peer((socket) => {
        socket.write(`${okHead(10)}abc`, () => setTimeout(() => cancel.abort(), 1));
      });
      expect(await rejectionOf(askSmall(port, 1000, cancel.signal))).toMatchObject({ code: 'CANCELLED' });
    });
  });
}
