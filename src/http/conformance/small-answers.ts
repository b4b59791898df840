import { describe, expect, test } from 'bun:test';
import { until } from '../../runtime/conditions.fixture.ts';
import { getRequest } from '../testing/raw-client.ts';
import { MIB, type Rig } from './rig.ts';

/** Goes out in one write with its head. */
const ANSWER_BYTES = 60_000;
/** More than the buffers on the way hold, and fewer than a connection may ask for ahead. */
const ANSWERS = Math.ceil((32 * MIB) / ANSWER_BYTES);
const OTHERS = 20;
/** No request was begun for so long: the client's buffers are full. */
const QUIET_MS = 100;

/** Answers that are written with their heads, as raw sockets see them. */
export function testSmallAnswers({ serveAnswers, raw }: Rig): void {
  describe('PlainAnswer', () => {
    test('what a client has not taken yet is not touched by answers to others', async () => {
      let asked = 0;
      let askedMs = Infinity;
      const server = await serveAnswers(({ url }) => {
        if (url.endsWith('/a')) {
          asked++;
          askedMs = performance.now();
        }
        return { status: 200, headers: {}, body: Buffer.alloc(ANSWER_BYTES, url.at(-1)) };
      });
      const slow = await raw(server);
      slow.socket.pause();
      slow.send(getRequest('/a').repeat(ANSWERS));
      await until(() => performance.now() - askedMs > QUIET_MS);
      expect(asked).toBeLessThan(ANSWERS);
      for (let n = 0; n < OTHERS; n++) {
        const other = await raw(server);
        other.send(getRequest('/b'));
        await other.head();
      }
      slow.socket.resume();
      const head = /HTTP\/1\.1 200 OK\r\n(?:[^\r\n]+\r\n)+\r\n/;
      const { text } = await slow.head();
      await until(() => slow.socket.bytesRead >= ANSWERS * (text.length + 4 + ANSWER_BYTES));
      const bodies = slow.received.toString('latin1').split(head);
      expect(bodies.filter((body) => body !== 'a'.repeat(ANSWER_BYTES))).toEqual(['']);
    });
  });
}
